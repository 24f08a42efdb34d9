import { systemClock } from "@continuum/broker-core";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AttachedReply } from "../runtime/attached-reply.js";
import type { RequestContext } from "../runtime/command-handlers.js";
import { echo, serve } from "../testing/ipc-harness.js";
import { RawClient, type RawReply } from "../testing/raw-client.js";
import { tempDirectory } from "../testing/temp-directory.js";
import { formatEndpoint } from "./endpoint.js";
import { IpcServer } from "./ipc-server.js";

describe("a connection", () => {
  it("gets the same answers wherever the bytes are split", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    client.socket.setNoDelay(true);
    const line = Buffer.from('{"command":"echo","requestId":1,"text":"é📢"}\n');
    for (let at = 1; at < line.length; at += 1) {
      client.send(line.subarray(0, at));
      await new Promise(setImmediate);
      client.send(line.subarray(at));
      expect(await client.next()).toEqual({ success: true, result: { text: "é📢" }, requestId: 1 });
    }
  });

  it("may have many requests in flight and coalesced in one write", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    const ids = Array.from({ length: 500 }, (_, index) => index + 1);
    client.send(ids.map((id) => `{"command":"echo","requestId":${id},"n":${id}}\n`).join(""));
    for (const id of ids) {
      expect(await client.next()).toEqual({ success: true, result: { n: id }, requestId: id });
    }
  });

  it("gets attachments in their place among other replies, whatever is in them", async () => {
    const attachments = [
      Buffer.from([0, 10, 0, 0x7b, 255, 10, 0]),
      Buffer.alloc(0),
      Buffer.alloc(3_000_000, 10),
    ];
    await using harness = await serve({
      dispatch: (_command, { index }) => {
        const attachment = attachments[Number(index)];
        const reply =
          attachment === undefined ? index : new AttachedReply({ index, text: "größe" }, attachment);
        // At once and later.
        return index === 1 ? Promise.resolve(reply) : reply;
      },
    });
    const client = await harness.connect();
    for (const [id, index] of [3, 0, 4, 1, 2, 5].entries()) client.request("get", id + 1, { index });
    const replies = new Map<number | undefined, RawReply>();
    for (let i = 0; i < 6; i += 1) {
      const reply = await client.next();
      replies.set(reply.requestId, reply);
    }
    expect(replies.get(1)).toEqual({ success: true, result: 3, requestId: 1 });
    for (const [id, index] of [
      [2, 0],
      [4, 1],
      [5, 2],
    ] as const) {
      expect(replies.get(id)).toMatchObject({ success: true, result: { index, text: "größe" } });
      expect(replies.get(id)?.attachment?.equals(attachments[index] ?? Buffer.of())).toBe(true);
    }
    expect(replies.get(6)).toEqual({ success: true, result: 5, requestId: 6 });
  });

  it("is answered without an id where it gave none", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    expect(await client.call("echo", null, { a: 1 })).toEqual({ success: true, result: { a: 1 } });
  });

  it("gets a typed error for a line that breaks the grammar, and goes on", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    client.send('hello\n{"requestId":4}\n');
    const first = await client.next();
    expect(first).toMatchObject({
      success: false,
      errorDetail: { kind: "badRequest", reason: "the line is not JSON" },
    });
    expect(first).not.toHaveProperty("requestId");
    expect(await client.next()).toMatchObject({ requestId: 4, errorDetail: { kind: "badRequest" } });
    expect(await client.call("echo", 1)).toMatchObject({ success: true, requestId: 1 });
  });

  it("gets the detail of a refusal, and of a bug only its text, without a stack", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    expect(await client.call("refuse", 1)).toEqual({
      success: false,
      error: "no such tier",
      requestId: 1,
      errorDetail: { kind: "tierUnavailable", tier: "x", reason: "r" },
    });
    const bug = await client.call("fail", 2);
    expect(bug).toMatchObject({ success: false, requestId: 2, errorDetail: { kind: "internal" } });
    expect(bug.error).not.toContain("\n");
    expect(harness.logged).toContainEqual(expect.objectContaining({ command: "fail", level: 50 }));
    expect(await client.call("unencodable", 3)).toMatchObject({
      requestId: 3,
      errorDetail: { kind: "internal" },
    });
  });

  it("may not use an id twice at a time, and the first request isn't answered by the refusal", async () => {
    await using harness = await serve();
    const client = await harness.connect();
    client.request("hang", 5);
    const refusal = await client.call("echo", 5);
    expect(refusal).toMatchObject({ success: false, errorDetail: { kind: "badRequest" } });
    expect(refusal.error).toContain("requestId 5");
    expect(refusal).not.toHaveProperty("requestId");
    expect(await client.call("echo", 6)).toMatchObject({ requestId: 6 });
  });

  it("is told when it has too many requests in flight", async () => {
    await using harness = await serve({ limits: { maxInFlight: 2 } });
    const client = await harness.connect();
    client.request("hang", 1);
    client.request("hang", 2);
    expect(await client.call("echo", 3)).toMatchObject({ requestId: 3, errorDetail: { kind: "overloaded" } });
  });

  it("is told why and closed for a line of 10 MB, and the others go on", async () => {
    await using harness = await serve();
    const other = await harness.connect();
    const client = await harness.connect();
    client.send(Buffer.alloc(10_000_000, "a"));
    expect(await client.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await client.closed();
    expect(await other.call("echo", 1)).toMatchObject({ success: true });
  });

  it("that has ended its side still gets its answers, then the end", async () => {
    await using harness = await serve();
    const client = await harness.connect(true);
    client.socket.end('{"command":"echo","requestId":1}\n{"comm');
    expect(await client.next()).toMatchObject({ success: true, requestId: 1 });
    expect(await client.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await new Promise((resolve) => client.socket.once("end", resolve));
  });

  it("takes its requests with it when it is closed", async () => {
    const aborted = deferred();
    await using harness = await serve({
      dispatch: (_command, _params, context: RequestContext) =>
        new Promise((_resolve, reject) => {
          context.signal.addEventListener("abort", () => {
            aborted.resolve(undefined);
            reject(context.signal.reason as Error);
          });
        }),
    });
    const client = await harness.connect();
    client.request("hang", 1);
    client.send(Buffer.alloc(2_000_000, "a"));
    await aborted.promise;
    await client.closed();
    expect(harness.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

describe("a server that is closed while it starts to listen", () => {
  it("leaves no socket, at whichever moment", async () => {
    for (let turns = 0; turns < 40; turns += 1) {
      await using directory = await tempDirectory();
      const path = join(directory.path, "s.sock");
      const server = new IpcServer({
        endpoint: { kind: "unix", path, ownsDirectory: true },
        dispatch: echo,
        clock: systemClock,
        log: pino({ level: "silent" }),
      });
      const listening = server.listen();
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      await server.close(0);
      await listening;
      await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
    }
  });
});

describe("the server", () => {
  it("pushes events to those who subscribed only, without an id", async () => {
    await using harness = await serve();
    const subscriber = await harness.connect();
    const other = await harness.connect();
    await subscriber.call("subscribe", 1);
    await other.call("echo", 1);
    harness.server.push("pressure-alert", { tierName: "docker" });
    expect(await subscriber.next()).toEqual({ event: "pressure-alert", data: { tierName: "docker" } });
    expect(await other.call("echo", 2)).toMatchObject({ requestId: 2 });
  });

  it("tells one connection too many, and closes it", async () => {
    await using harness = await serve({ limits: { maxConnections: 1 } });
    const first = await harness.connect();
    await first.call("echo", 1);
    const second = await harness.connect();
    expect(await second.next()).toMatchObject({ success: false, errorDetail: { kind: "overloaded" } });
    await second.closed();
    expect(await first.call("echo", 2)).toMatchObject({ success: true });
  });

  it("keeps its socket to its owner", async () => {
    await using harness = await serve();
    expect((await lstat(harness.path)).mode & 0o777).toBe(0o600);
  });

  it("answers what is in flight before it closes, and waits no longer than it is told", async () => {
    const answer = deferred();
    await using harness = await serve({
      dispatch: (command) => (command === "wait" ? answer.promise : new Promise(() => undefined)),
    });
    const client = await harness.connect();
    client.request("wait", 1);
    const hung = await harness.connect();
    hung.request("hang", 1);
    await new Promise(setImmediate);
    const closing = harness.server.close(200);
    answer.resolve(undefined);
    expect(await client.next()).toMatchObject({ success: true, requestId: 1 });
    await closing;
    expect(await hung.next()).toMatchObject({
      success: false,
      requestId: 1,
      errorDetail: { kind: "shuttingDown", command: "hang", mayHaveExecuted: true },
    });
    await hung.closed();
    await expect(lstat(harness.path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("tells requests that wait at the close that they weren't executed", async () => {
    let executed = 0;
    await using harness = await serve({
      limits: { pauseOutputBytes: 100_000 },
      dispatch: (command) => (command === "large" ? "x".repeat((executed += 1) && 500_000) : null),
    });
    const client = await harness.connect();
    client.socket.pause();
    const count = 20;
    for (let id = 1; id <= count; id += 1) client.request("large", id);
    const other = await harness.connect();
    await other.call("echo", 1);
    const closing = harness.server.close(1_000);
    client.socket.resume();
    let refused = 0;
    for (let id = 1; id <= count; id += 1) {
      const { requestId, success, errorDetail } = await client.next();
      expect(requestId).toBe(id);
      if (success === true) continue;
      expect(errorDetail).toEqual({ kind: "shuttingDown", command: "large", mayHaveExecuted: false });
      refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
    expect(executed).toBe(count - refused);
    await closing;
    await client.closed();
  });

  it("on TCP ends a connection that speaks another protocol, before its body is read", async () => {
    await using harness = await serve({ endpoint: { kind: "tcp", host: "127.0.0.1", port: 0 } });
    expect(formatEndpoint(harness.server.endpoint)).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/u);
    const { endpoint } = harness.server;
    if (endpoint.kind !== "tcp") throw new Error("not TCP");
    await using browser = await RawClient.connect({ host: endpoint.host, port: endpoint.port });
    browser.send('POST / HTTP/1.1\r\nHost: localhost\r\n\r\n{"command":"echo","requestId":1}\n');
    expect(await browser.next()).toMatchObject({ success: false, errorDetail: { kind: "badRequest" } });
    await browser.closed();
    await expect(browser.next()).rejects.toThrow("closed");
    await using peer = await RawClient.connect({ host: endpoint.host, port: endpoint.port });
    expect(await peer.call("echo", 1)).toMatchObject({ success: true });
  });
});

function deferred(): { promise: Promise<undefined>; resolve: (value: undefined) => void } {
  let resolve: (value: undefined) => void = () => undefined;
  const promise = new Promise<undefined>((settle) => (resolve = settle));
  return { promise, resolve };
}
