export { type PeerConnection, type PeerRequest, ScriptedPeer } from "./scripted-peer.js";
