export { ClientSubject, type SubjectAnswer } from "./client-subject.js";
export type { ClientOperation, ClientVector, PeerMessage, PeerStep } from "./client-vector.js";
export type { BytesSpec, CoreStep, CoreVector } from "./core-vector.js";
export { OWN_CLIENT_SUBJECT } from "./own-client-subject.js";
export { readClientVectors, readCoreVectors } from "./read-vectors.js";
export { runClientVector } from "./run-client-vector.js";
export { type CoreTarget, runCoreVector, type VectorOutcome } from "./run-core-vector.js";
export { ConformanceError } from "./wire-connection.js";
