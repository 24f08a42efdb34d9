import { systemClock } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { RequestError } from "../request-error.js";
import { AttachedReply } from "../runtime/attached-reply.js";
import type { RequestContext } from "../runtime/command-handlers.js";
import { RawClient, type RawReply } from "../testing/raw-client.js";
import { tempDirectory } from "../testing/temp-directory.js";
import { formatEndpoint } from "./endpoint.js";
import { IpcServer, type IpcServerOptions } from "./ipc-server.js";

type Dispatch = IpcServerOptions["dispatch"];

interface Harness extends AsyncDisposable {
  readonly server: IpcServer;
  readonly path: string;
  readonly logged: Record<string, unknown>[];
  connect(halfOpen?: boolean): Promise<RawClient>;
}

/** Answers `echo` with its params, `fail` with a bug, `hang` never, `large` with `bytes` bytes. */
const echo: Dispatch = async (command, params, { signal, connection }) => {
  switch (command) {
    case "echo":
      return params;
    case "fail":
      throw new TypeError("cannot read\n    at secret.ts:1");
    case "refuse":
      throw new RequestError("no such tier", { kind: "tierUnavailable", tier: "x", reason: "r" });
    case "unencodable":
      return { value: 1n };
    case "large":
      return "x".repeat(Number(params["bytes"]));
    case "subscribe":
      connection.subscribe("pressure-alert");
      return connection.subscriptions;
    default:
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
  }
};

async function serve(options: Partial<IpcServerOptions> = {}): Promise<Harness> {
  const directory = await tempDirectory();
  const path = join(directory.path, "s.sock");
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const server = new IpcServer({
    endpoint: { kind: "unix", path, ownsDirectory: true },
    dispatch: echo,
    clock: systemClock,
    log,
    ...options,
  });
  await server.listen();
  const clients: RawClient[] = [];
  return {
    server,
    path,
    logged,
    connect: async (halfOpen = false) => {
      const client = await RawClient.connect(path, halfOpen);
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.close(0);
      await directory[Symbol.asyncDispose]();
    },
  };
}

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

describe("the limits in time", () => {
  it("close a connection whose line isn't finished, told why, and no idle one", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock, limits: { lineTimeoutMs: 30_000 } });
    const idle = await harness.connect();
    const slow = await harness.connect();
    expect(await idle.call("echo", 1)).toMatchObject({ success: true });
    slow.send('{"command":"echo","requestId":1}\n{"command":');
    expect(await slow.next()).toMatchObject({ success: true });
    await clock.advance(29_999);
    slow.send('"ec');
    await clock.advance(1);
    expect(await slow.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await slow.closed();
    await clock.advance(3_600_000);
    expect(await idle.call("echo", 2)).toMatchObject({ success: true });
  });

  it("answer a request that hangs with timeout, abort it, and drop its late answer", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock, limits: { requestTimeoutMs: 60_000 } });
    const client = await harness.connect();
    client.request("hang", 1);
    expect(await client.call("echo", 2)).toMatchObject({ requestId: 2 });
    await clock.advance(60_000);
    expect(await client.next()).toMatchObject({
      success: false,
      requestId: 1,
      errorDetail: { kind: "timeout", command: "hang", timeoutMs: 60_000 },
    });
    expect(await client.call("echo", 1)).toMatchObject({ success: true, requestId: 1 });
  });
});

describe("back-pressure", () => {
  it("stops reading a peer that doesn't read, and goes on when it does", async () => {
    const seen: string[] = [];
    await using harness = await serve({
      limits: { pauseOutputBytes: 100_000 },
      dispatch: (command, params, context) => {
        seen.push(command);
        return echo(command, params, context);
      },
    });
    const deaf = await harness.connect();
    const other = await harness.connect();
    deaf.socket.pause();
    const count = 200;
    // Lines so long that few of them arrive in one read.
    const padding = "x".repeat(20_000);
    for (let id = 1; id <= count; id += 1) deaf.request("large", id, { bytes: 100_000, padding });
    for (let id = 1; id <= 300; id += 1) await other.call("echo", id);
    expect(seen.filter((command) => command === "large").length).toBeLessThan(count / 2);
    deaf.socket.resume();
    for (let id = 1; id <= count; id += 1) expect(await deaf.next()).toMatchObject({ requestId: id });
  });

  it("closes a subscriber that doesn't read once its buffer is full, and nobody else", async () => {
    await using harness = await serve({ limits: { maxOutputBytes: 1_000_000 } });
    const deaf = await harness.connect();
    const other = await harness.connect();
    expect(await deaf.call("subscribe", 1)).toMatchObject({ result: ["pressure-alert"] });
    expect(await other.call("subscribe", 1)).toMatchObject({ success: true });
    deaf.socket.pause();
    for (let round = 0; harness.server.connectionCount === 2; round += 1) {
      harness.server.push("pressure-alert", { round, text: "x".repeat(100_000) });
      expect(await other.next()).toMatchObject({ event: "pressure-alert", data: { round } });
    }
    expect(harness.logged).toContainEqual(expect.objectContaining({ level: 40 }));
    expect(await other.call("echo", 2)).toMatchObject({ success: true });
  });
});

describe("a connection that sends very much at once", () => {
  it("delays another one by a turn, and gets all its answers", async () => {
    const seen: string[] = [];
    await using harness = await serve({
      dispatch: (command) => {
        seen.push(command);
        return {};
      },
    });
    const greedy = await harness.connect();
    const other = await harness.connect();
    const count = 5000;
    greedy.send(
      Array.from({ length: count }, (_, i) => `{"command":"echo","requestId":${i + 1}}\n`).join(""),
    );
    const modest = other.call("modest", 1);
    for (let id = 1; id <= count; id += 1) expect(await greedy.next()).toMatchObject({ requestId: id });
    await modest;
    // Both had come before the core looked: a turn's worth of the one is served before the other.
    expect(seen.indexOf("modest")).toBeLessThan(1200);
  });

  it("and ends its side at once, is still answered, and told of what it left unfinished", async () => {
    await using harness = await serve();
    const client = await harness.connect(true);
    const lines = Array.from({ length: 1000 }, (_, i) => `{"command":"echo","requestId":${i + 1}}\n`);
    client.socket.end(`${lines.join("")}{"comm`);
    for (let id = 1; id <= 1000; id += 1) expect(await client.next()).toMatchObject({ requestId: id });
    expect(await client.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
  });

  it("and then a line that is too long, is answered what came before it", async () => {
    const dispatch: Dispatch = (_command, params) => params;
    await using harness = await serve({ limits: { maxLineBytes: 1000 }, dispatch });
    const client = await harness.connect();
    const lines = Array.from({ length: 300 }, (_, i) => `{"command":"echo","requestId":${i + 1}}\n`);
    // What comes behind the long one, while those before it wait for their turn, isn't understood any more.
    client.send(`${lines.join("")}${"x".repeat(100_000)}\n{"command":"echo","requestId":999}\n`);
    for (let id = 1; id <= 300; id += 1) expect(await client.next()).toMatchObject({ requestId: id });
    expect(await client.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await expect(client.next()).rejects.toThrow("closed");
  });
});

describe("bounds over all connections", () => {
  it("refuse requests of those with much in flight first, and never the question how the core is", async () => {
    const clock = new ManualClock();
    await using harness = await serve({
      clock,
      limits: { maxInFlightTotal: 40 },
      dispatch: (command, ...rest) => (command === "health-check" ? {} : echo(command, ...rest)),
    });
    const greedy = await harness.connect();
    const modest = await harness.connect();
    for (let id = 1; id <= 30; id += 1) greedy.request("hang", id);
    expect(await greedy.call("echo", 100)).toMatchObject({ errorDetail: { kind: "overloaded" } });
    for (let id = 1; id <= 10; id += 1) modest.request("hang", id);
    expect(await modest.next()).toMatchObject({ requestId: 5, errorDetail: { kind: "overloaded" } });
    const third = await harness.connect();
    expect(await third.call("echo", 1)).toMatchObject({ success: true });
    for (let connection = 0; connection < 2; connection += 1) {
      const next = await harness.connect();
      for (let id = 1; id <= 3; id += 1) next.request("hang", id);
      expect(await next.call("health-check", 9)).toMatchObject({ success: true });
    }
    expect(await third.call("echo", 2)).toMatchObject({ errorDetail: { kind: "overloaded" } });
    expect(harness.server.metrics).toMatchObject({ inFlight: 40, maxInFlight: 40 });
    await clock.advance(60_000);
    expect(harness.server.metrics.inFlight).toBe(0);
    expect(await third.call("echo", 3)).toMatchObject({ success: true });
  });

  it("close the connections that hold the most unfinished input, and no other", async () => {
    await using harness = await serve({ limits: { maxQueuedBytes: 1_000_000 } });
    const modest = await harness.connect();
    modest.send(`{"command":"echo","requestId":1,"text":"${"x".repeat(1000)}`);
    const hoarders = await Promise.all(Array.from({ length: 10 }, () => harness.connect()));
    for (const hoarder of hoarders) hoarder.send("x".repeat(200_000));
    await Promise.race(hoarders.map((hoarder) => hoarder.closed()));
    while (harness.server.metrics.queuedBytes > 1_000_000) await new Promise(setImmediate);
    modest.send('"}\n');
    expect(await modest.next()).toMatchObject({ success: true, requestId: 1 });
    await Promise.all(hoarders.map((hoarder) => hoarder.close()));
    while (harness.server.connectionCount > 1) await new Promise(setImmediate);
    expect(harness.server.metrics).toMatchObject({ queuedBytes: 0, connections: 1 });
  });
});

describe("a subscriber that doesn't read", () => {
  it("among 200 is told behind what it is still owed, and closed; the others get everything", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock, limits: { maxEventBytes: 500_000 } });
    const all = await Promise.all(Array.from({ length: 200 }, () => harness.connect()));
    for (const client of all) await client.call("subscribe", 1);
    const [stalled, ...others] = all as [RawClient, ...RawClient[]];
    stalled.socket.pause();
    let rounds = 0;
    for (; harness.server.metrics.droppedConnections === 0; rounds += 1) {
      harness.server.push("pressure-alert", { round: rounds, text: "x".repeat(50_000) });
      for (const other of others) expect(await other.next()).toMatchObject({ data: { round: rounds } });
    }
    expect(harness.server.metrics.queuedBytes).toBeLessThan(600_000);
    // It reads again in time: first what it was owed, then why there is no more.
    await clock.advance(29_000);
    stalled.socket.resume();
    let last = await stalled.next();
    for (let round = 0; last.event !== undefined; round += 1) {
      expect(last).toMatchObject({ event: "pressure-alert", data: { round } });
      last = await stalled.next();
    }
    expect(last).toMatchObject({ success: false, errorDetail: { kind: "overloaded" } });
    expect(last.error).toMatch(/events are lost: \d+ bytes/u);
    await stalled.closed();
    while (harness.server.connectionCount > 199) await new Promise(setImmediate);
    expect(harness.server.metrics.queuedBytes).toBe(0);
  });

  it("nor afterwards, is cut off after a while", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock, limits: { maxEventBytes: 100_000 } });
    const stalled = await harness.connect();
    await stalled.call("subscribe", 1);
    stalled.socket.pause();
    while (harness.server.metrics.droppedConnections === 0) {
      harness.server.push("pressure-alert", { text: "x".repeat(50_000) });
      await new Promise(setImmediate);
    }
    await clock.advance(30_000);
    while (harness.server.connectionCount > 0) await new Promise(setImmediate);
    expect(harness.server.metrics.queuedBytes).toBe(0);
  });

  it("isn't closed for a large reply that it is reading", async () => {
    await using harness = await serve({ limits: { maxEventBytes: 100_000 } });
    const client = await harness.connect();
    await client.call("subscribe", 1);
    client.socket.pause();
    client.request("large", 2, { bytes: 5_000_000 });
    while (harness.server.metrics.queuedBytes < 1_000_000) await new Promise(setImmediate);
    harness.server.push("pressure-alert", { text: "x".repeat(10_000) });
    client.socket.resume();
    expect(await client.next()).toMatchObject({ requestId: 2 });
    expect(await client.next()).toMatchObject({ event: "pressure-alert" });
    expect(await client.call("echo", 3)).toMatchObject({ success: true });
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
    await hung.closed();
    await expect(lstat(harness.path)).rejects.toMatchObject({ code: "ENOENT" });
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
