import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { AttachedReply } from "../runtime/attached-reply.js";
import { type Dispatch, echo, serve } from "../testing/ipc-harness.js";
import type { RawClient } from "../testing/raw-client.js";

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

describe("a line that is too long", () => {
  it("behind others that still wait: they are answered, and nothing that comes after it", async () => {
    const seen: unknown[] = [];
    await using harness = await serve({
      limits: { maxLineBytes: 10_000 },
      dispatch: (_, { n }) => void seen.push(n),
    });
    const client = await harness.connect();
    // More than is served at once; and the next read follows at once, since this one fills what is read at once.
    const lines = Array.from({ length: 200 }, (_, n) =>
      JSON.stringify({ command: "a", requestId: n + 1, n }),
    );
    const before = `${lines.join("\n")}\n`;
    client.send(`${before.padEnd(64 * 1024, "x")}x\n{"command":"a","requestId":999,"n":999}\n`);
    for (let id = 1; id <= 200; id += 1) expect(await client.next()).toMatchObject({ requestId: id });
    expect(await client.next()).toMatchObject({ success: false, errorDetail: { kind: "badRequest" } });
    await client.closed();
    await expect(client.next()).rejects.toThrow("closed");
    expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });
});

describe("attachments", () => {
  it("that are too large to be unread together wait for each other, and cost nobody the connection", async () => {
    const large = Buffer.alloc(3_000_000, 7);
    await using harness = await serve({
      limits: { maxOutputBytes: 4_000_000 },
      dispatch: async (command, params) => {
        await new Promise(setImmediate);
        return command === "attached" ? new AttachedReply(params, large) : params;
      },
    });
    const client = await harness.connect();
    for (let id = 1; id <= 8; id += 1) client.request(id % 2 === 0 ? "attached" : "echo", id, { id });
    const sizes = new Map<unknown, number>();
    for (let count = 1; count <= 8; count += 1) {
      const { requestId, result, attachment } = await client.next();
      expect(result).toEqual({ id: requestId });
      sizes.set(requestId, attachment?.length ?? 0);
    }
    for (let id = 1; id <= 8; id += 1) expect(sizes.get(id)).toBe(id % 2 === 0 ? large.length : 0);
    expect(harness.server.metrics.droppedConnections).toBe(0);
  });

  it("that wait are still sent when the server is closed", async () => {
    const large = Buffer.alloc(3_000_000, 7);
    await using harness = await serve({
      limits: { maxOutputBytes: 4_000_000 },
      dispatch: async () => {
        await new Promise(setImmediate);
        return new AttachedReply({}, large);
      },
    });
    const client = await harness.connect();
    client.socket.pause();
    for (let id = 1; id <= 3; id += 1) client.request("attached", id);
    const other = await harness.connect();
    await other.call("attached", 1);
    const closing = harness.server.close(1_000);
    client.socket.resume();
    for (let id = 1; id <= 3; id += 1) {
      const { requestId, attachment } = await client.next();
      expect([requestId, attachment?.length]).toEqual([id, large.length]);
    }
    await closing;
    await client.closed();
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

  it("as many do with a long line each, which takes long to parse, leaves room for others after each of them", async () => {
    let turn = 0;
    const perTurn = new Map<number, number>();
    const next = (): void => {
      turn += 1;
      immediate = setImmediate(next);
    };
    let immediate = setImmediate(next);
    try {
      await using harness = await serve({
        dispatch: () => {
          perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
          return {};
        },
      });
      const clients = await Promise.all(Array.from({ length: 20 }, () => harness.connect()));
      const line = `{"command":"echo","requestId":1,"padding":"${"x".repeat(900_000)}"}`;
      for (const client of clients) client.send(line);
      while (harness.server.metrics.queuedBytes < clients.length * line.length)
        await new Promise(setImmediate);
      // All are complete at once.
      for (const client of clients) client.send("\n");
      for (const client of clients) expect(await client.next()).toMatchObject({ success: true });
      expect([...perTurn.values()].reduce((sum, count) => sum + count, 0)).toBe(20);
      // A turn begins another one while it isn't used up by the first.
      expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2);
    } finally {
      clearImmediate(immediate);
    }
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
