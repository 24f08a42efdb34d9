import { describe, expect, it } from "vitest";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";

describe("a client of low latency", () => {
  it("answers as any other, one at a time and many at once", async () => {
    await using peer = await ScriptedPeer.start(({ requestId, reply }) => reply(requestId));
    await using client = new RustCoreIPCClient({ url: peer.path, lowLatency: true });
    for (let id = 1; id <= 200; id += 1) expect((await client.request("a")).result).toBe(id);
    const many = await Promise.all(Array.from({ length: 300 }, () => client.request("b")));
    expect(many.map(({ result }) => result)).toEqual(Array.from({ length: 300 }, (_, i) => 201 + i));
    expect(peer.connections).toHaveLength(1);
  });
});
