import { DecodeError } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { CommandError } from "./command-error.js";
import { ConnectionError } from "./connection-error.js";
import type { CoreClientOptions } from "./core-client-options.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { PeerConnection, type PeerRequest, ScriptedPeer } from "./testing/scripted-peer.js";

const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };

function clientOf(peer: ScriptedPeer, options: CoreClientOptions = {}): RustCoreIPCClient {
  return new RustCoreIPCClient({ url: peer.path, ...options });
}

/** The error that a promise rejects with. */
async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

async function connectionErrorOf(promise: Promise<unknown>): Promise<ConnectionError> {
  const error = await errorOf(promise);
  expect(error).toBeInstanceOf(ConnectionError);
  return error as ConnectionError;
}

describe("replies", () => {
  it("are decoded; unknown keys pass", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply({ ...stats, newer: 1 }));
    await using client = clientOf(peer);
    expect(await client.dockerTierStats()).toMatchObject(stats);
  });

  it("that aren't of the contract are a DecodeError with the path", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply({ ...stats, pressure: null }));
    await using client = clientOf(peer);
    const error = await errorOf(client.dockerTierStats());
    expect(error).toBeInstanceOf(DecodeError);
    expect(error).toMatchObject({ path: "pressure" });
  });

  it("that fail are a CommandError with the peer's text and detail", async () => {
    const detail = { kind: "tierUnavailable", tier: "docker", reason: "no engine" };
    await using peer = await ScriptedPeer.start((request) => {
      if (request.command === "system/resource-admit") request.fail("refused", detail);
      else request.fail("odd", { kind: "fromTheFuture" });
    });
    await using client = clientOf(peer);
    const refused = await errorOf(client.resourceAdmit({ tier: "docker", projectedBytes: 1 }));
    expect(refused).toBeInstanceOf(CommandError);
    expect(refused).toMatchObject({
      command: "system/resource-admit",
      message: "refused",
      errorDetail: detail,
    });
    expect(await errorOf(client.dockerTierStats())).toMatchObject({ message: "odd", errorDetail: null });
  });

  it("come in any order, 64 in flight, over one connection", async () => {
    const held: PeerRequest[] = [];
    await using peer = await ScriptedPeer.start((request) => {
      held.push(request);
      if (held.length === 64) for (const each of held.reverse()) each.reply({ n: each.params["n"] });
    });
    await using client = clientOf(peer);
    const replies = await Promise.all(Array.from({ length: 64 }, (_, n) => client.request("echo", { n })));
    expect(replies.map(({ result }) => result)).toEqual(Array.from({ length: 64 }, (_, n) => ({ n })));
    expect(new Set(held.map(({ requestId }) => requestId)).size).toBe(64);
    expect(peer.connections).toHaveLength(1);
  });

  it("are put together when split at any byte", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer);
    const attachment = Buffer.from("0a000d007b", "hex");
    const length = PeerConnection.frame({ success: true, result: "ä€📢", requestId: 1 }, attachment).length;
    for (let at = 1; at < length; at += 1) {
      const pending = client.request("echo");
      const { connection, requestId } = await peer.next();
      const bytes = PeerConnection.frame({ success: true, result: "ä€📢", requestId }, attachment);
      connection.socket.setNoDelay(true);
      connection.write(bytes.subarray(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      connection.write(bytes.subarray(at));
      expect(await pending).toEqual({ result: "ä€📢", attachment });
    }
  });

  it("of unknown ids, repeated ones, and frames of no known kind are dropped and counted", async () => {
    await using peer = await ScriptedPeer.start((request) => {
      request.connection.send({ success: true, result: "other", requestId: 4711 });
      request.connection.send({ hello: "world" });
      request.reply(stats);
      request.reply({ ...stats, pressure: 9 });
    });
    await using client = clientOf(peer);
    expect(await client.dockerTierStats()).toEqual(stats);
    expect(await client.dockerTierStats()).toEqual(stats);
    expect(client.ignoredFrames).toBeGreaterThanOrEqual(5);
  });

  it.each([
    ["a length of 0xFFFFFFFF", Buffer.from("ffffffff", "hex")],
    ["no JSON", Buffer.from("00000003616263", "hex")],
  ])("that break the protocol (%s) close the connection; the next request gets another", async (_, bytes) => {
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer);
    const pending = client.dockerTierStats();
    (await peer.next()).connection.write(bytes);
    expect(await connectionErrorOf(pending)).toMatchObject({ code: "protocol", mayHaveExecuted: true });
    const again = client.dockerTierStats();
    (await peer.next()).reply(stats);
    expect(await again).toEqual(stats);
  });
});

describe("a request", () => {
  it("that nobody answers times out, and its late answer is dropped", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer);
    const error = await connectionErrorOf(client.dockerTierStats({ timeoutMs: 30 }));
    expect(error).toMatchObject({ code: "timeout", mayHaveExecuted: true });
    expect(error.message).toContain("system/docker-tier-stats: no answer within 30 ms");
    const late = await peer.next();
    const next = client.dockerTierStats();
    late.reply({ ...stats, pressure: 9 });
    (await peer.next()).reply(stats);
    expect(await next).toEqual(stats);
    expect(client.ignoredFrames).toBe(1);
  });

  it("is aborted before, while waiting, and in flight, and leaves nothing behind", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer);
    const reason = new Error("enough");
    const before = await connectionErrorOf(client.dockerTierStats({ signal: AbortSignal.abort(reason) }));
    expect(before).toMatchObject({ code: "aborted", mayHaveExecuted: false, cause: reason });

    const waiting = new AbortController();
    const unsent = client.dockerTierStats({ signal: waiting.signal });
    waiting.abort(reason);
    expect(await connectionErrorOf(unsent)).toMatchObject({ code: "aborted", mayHaveExecuted: false });

    const flying = new AbortController();
    const sent = client.dockerTierProbe({ signal: flying.signal });
    const request = await peer.next();
    expect(request.command).toBe("system/docker-tier-probe");
    flying.abort(reason);
    expect(await connectionErrorOf(sent)).toMatchObject({
      code: "aborted",
      mayHaveExecuted: true,
      cause: reason,
    });
  });

  it("that is over the limit isn't sent, and harms no other", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    await using client = clientOf(peer, { maxRequestBytes: 1000 });
    const error = await connectionErrorOf(client.request("big", { text: "x".repeat(1000) }));
    expect(error).toMatchObject({ code: "tooLarge", mayHaveExecuted: false });
    expect(await client.dockerTierStats()).toEqual(stats);
  });

  it.each([0, -1, Number.NaN, Infinity, 2 ** 31])("has no deadline of %d ms", async (timeoutMs) => {
    await using client = new RustCoreIPCClient({ url: "/nowhere.sock" });
    expect(await errorOf(client.dockerTierStats({ timeoutMs }))).toBeInstanceOf(RangeError);
  });

  it("waits for room among those in flight, and is refused when too many wait", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer, { maxInFlight: 2, maxWaiting: 3 });
    const calls = [1, 2].map(() => client.dockerTierStats());
    const held = [await peer.next(), await peer.next()];
    calls.push(...[1, 2, 3].map(() => client.dockerTierStats()));
    expect(await connectionErrorOf(client.dockerTierStats())).toMatchObject({
      code: "overloaded",
      mayHaveExecuted: false,
    });
    for (const request of held) request.reply(stats);
    for (let n = 0; n < 3; n += 1) (await peer.next()).reply(stats);
    expect(await Promise.all(calls)).toHaveLength(5);
  });

  it("reaches the core with text beyond ASCII", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(request.params));
    await using client = clientOf(peer);
    const params = { text: "\u0000 \u2028 ä€📢 \ud83d" };
    expect((await client.request("echo", params)).result).toEqual(params);
  });
});

describe("without a core", () => {
  it.each([
    ["notFound", async (peer: ScriptedPeer) => Promise.resolve(peer)],
    [
      "refused",
      async (peer: ScriptedPeer) => {
        // A socket's file that nobody listens on, as kill -9 leaves it.
        const { writeFile } = await import("node:fs/promises");
        await writeFile(peer.path, "");
        return peer;
      },
    ],
  ])("the first request fails at once: %s, and how to start one", async (code, prepare) => {
    await using peer = await ScriptedPeer.absent();
    await prepare(peer);
    await using client = clientOf(peer);
    const error = await connectionErrorOf(client.dockerTierStats());
    expect(error).toMatchObject({ code, mayHaveExecuted: false });
    expect(error.message).toContain(`continuum-core --socket ${peer.path}`);
  });

  it("that is started then, the next request finds it", async () => {
    await using peer = await ScriptedPeer.absent((request) => request.reply(stats));
    await using client = clientOf(peer);
    await connectionErrorOf(client.dockerTierStats());
    await peer.listen();
    expect(await client.dockerTierStats()).toEqual(stats);
  });
});

describe("close", () => {
  it("fails what is in flight, waiting and new, and resolves when the socket is gone", async () => {
    await using peer = await ScriptedPeer.start();
    const client = clientOf(peer, { maxInFlight: 1 });
    const [flying, waiting] = [client.dockerTierStats(), client.dockerTierStats()].map(connectionErrorOf);
    await peer.next();
    await client.close();
    expect(await flying).toMatchObject({ code: "closed", mayHaveExecuted: true });
    expect(await waiting).toMatchObject({ code: "closed", mayHaveExecuted: false });
    expect(await connectionErrorOf(client.dockerTierStats())).toMatchObject({ code: "closed" });
    await client.close();
  });
});
