import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";

const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };
const admission = { tier: "docker", projectedBytes: 1 };
const errorOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => null,
    (error: unknown) => error,
  );

describe("what the system says of a connection that broke", () => {
  it("ECONNRESET fails what isn't idempotent, with the reason; the rest goes over the next connection", async () => {
    let resets = 1;
    await using peer = await ScriptedPeer.startTcp((request) => {
      if (request.command === "session/authenticate") return;
      if (resets === 0) request.reply(stats);
      else if (request.command === "system/resource-admit") {
        resets -= 1;
        request.connection.socket.resetAndDestroy();
      }
    });
    await using client = new RustCoreIPCClient({ url: peer.url, token: "t" });
    const poll = client.dockerTierStats();
    const admitted = await errorOf(client.resourceAdmit(admission));
    expect(admitted).toMatchObject({
      code: "closed",
      mayHaveExecuted: true,
      cause: { cause: { code: "ECONNRESET" } },
    });
    expect(await poll).toEqual(stats);
    expect(peer.connections.length).toBe(2);
  });

  it("EPIPE fails it, too: nobody knows how much of it arrived", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    await using client = new RustCoreIPCClient({ url: peer.url });
    await client.dockerTierStats();
    // Both within one turn: the client writes before it can have seen the end.
    peer.connections[0]?.socket.destroy();
    const poll = client.dockerTierStats();
    const admitted = await errorOf(client.resourceAdmit(admission));
    expect(admitted).toMatchObject({
      code: "closed",
      mayHaveExecuted: true,
      cause: { cause: { code: "EPIPE" } },
    });
    expect(await poll).toEqual(stats);
  });
});

describe("a peer that stops reading", () => {
  it("costs each request its own deadline, and those that come after it nothing", async () => {
    await using peer = await ScriptedPeer.start((request) =>
      request.reply({ length: String(request.params["text"]).length }),
    );
    await using client = new RustCoreIPCClient({ url: peer.url, maxWaiting: 8 });
    await client.request("echo", { text: "" });
    const [connection] = peer.connections;
    if (connection === undefined) throw new Error("there is a connection");
    connection.socket.pause();
    // More than the system holds for a socket: the last of them are never written.
    const text = "x".repeat(512 * 1024);
    const all = Array.from({ length: 8 }, () =>
      errorOf(client.request("echo", { text }, { timeoutMs: 300 })),
    );
    const errors = (await Promise.all(all)) as { mayHaveExecuted: boolean }[];
    for (const error of errors) expect(error).toMatchObject({ name: "ConnectionError", code: "timeout" });
    expect(errors[0]).toMatchObject({ mayHaveExecuted: true });
    expect(errors.at(-1)).toMatchObject({ mayHaveExecuted: false });
    connection.socket.resume();
    expect((await client.request("echo", { text: "é" })).result).toEqual({ length: 1 });
    expect(peer.connections.length).toBe(1);
    await client.close();
    if (!connection.socket.closed) await once(connection.socket, "close");
  });
});
