import { ManualClock } from "@continuum/broker-core/testing";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { AttachedReply } from "../runtime/attached-reply.js";
import { type Dispatch, echo, serve } from "../testing/ipc-harness.js";
import type { RawClient } from "../testing/raw-client.js";

const ATTACHMENT = Buffer.alloc(3_000_000, 7);

/** Answers `attached` with an attachment of its own bytes, and everything else as `echo`. */
const attached: Dispatch = async (command, ...rest) => {
  if (command !== "attached") return echo(command, ...rest);
  await new Promise(setImmediate);
  return new AttachedReply({}, ATTACHMENT);
};

/** Until the server has had a turn for everything that was sent to it. */
async function untilPaused(harness: Awaited<ReturnType<typeof serve>>, requests: number): Promise<void> {
  const other = await harness.connect();
  for (let id = 1; id <= requests; id += 1) await other.call("echo", id);
  await other.close();
}

describe("replies that nobody reads", () => {
  it("cost a peer its connection after a while, and nobody else", async () => {
    await using harness = await serve({ limits: { unreadReplyMs: 50 }, dispatch: attached });
    const [deaf, deafForText, other] = [
      await harness.connect(),
      await harness.connect(),
      await harness.connect(),
    ];
    for (const client of [deaf, deafForText]) client.socket.pause();
    deaf.request("attached", 1);
    deafForText.request("large", 1, { bytes: 3_000_000 });
    while (harness.server.metrics.droppedConnections < 2) await other.call("echo", 1);
    while (harness.server.connectionCount > 1) await new Promise(setImmediate);
    expect(harness.server.metrics).toMatchObject({ connections: 1, queuedBytes: 0, inFlight: 0 });
    const dropped = harness.logged.filter(({ msg }) => msg === "closed a connection that doesn't read");
    expect(dropped.map(({ unreadBytes }) => Number(unreadBytes) > 2_000_000)).toEqual([true, true]);
    expect(await other.call("echo", 2)).toMatchObject({ success: true });
  });

  it("may be read as slowly as they are, as long as they are read", async () => {
    await using harness = await serve({ limits: { unreadReplyMs: 100 }, dispatch: attached });
    const slow = await harness.connect();
    slow.socket.pause();
    slow.request("attached", 1);
    const reply = slow.next();
    for (let isRead = false; !isRead;) {
      slow.socket.resume();
      await Promise.race([new Promise((resolve) => slow.socket.once("data", resolve)), reply]);
      slow.socket.pause();
      isRead = (await Promise.race([reply, pause(20)])) !== undefined;
    }
    expect((await reply).attachment?.length).toBe(ATTACHMENT.length);
    // Whoever has read all of it is not watched any more.
    slow.socket.resume();
    await pause(250);
    expect(await slow.call("echo", 2)).toMatchObject({ success: true });
    expect(harness.server.metrics.droppedConnections).toBe(0);
  });
});

describe("attachments that wait for those before them", () => {
  const serveTwo = (clock: ManualClock) =>
    serve({ clock, limits: { maxOutputBytes: 4_000_000, unreadReplyMs: 60_000 }, dispatch: attached });

  it.each([
    ["of a peer", false],
    ["of a peer that has ended its side", true],
  ])("are given up after a while, %s, each with a typed answer", async (_whose, hasEnded) => {
    const clock = new ManualClock();
    await using harness = await serveTwo(clock);
    const deaf = await harness.connect(true);
    deaf.socket.pause();
    for (let id = 1; id <= 4; id += 1) deaf.request("attached", id);
    if (hasEnded) deaf.socket.end();
    await untilPaused(harness, 20);
    await clock.advance(60_000);
    deaf.socket.resume();
    expect(await deaf.next()).toMatchObject({ requestId: 1, success: true });
    for (let id = 2; id <= 4; id += 1) {
      expect(await deaf.next()).toMatchObject({
        requestId: id,
        success: false,
        errorDetail: { kind: "timeout", command: "attached", timeoutMs: 60_000 },
      });
    }
    if (hasEnded) await deaf.closed();
    else expect(await deaf.call("echo", 5)).toMatchObject({ success: true });
  });

  it("are let go of with their connection", async () => {
    const given: WeakRef<Uint8Array>[] = [];
    await using harness = await serve({
      clock: new ManualClock(),
      limits: { maxOutputBytes: 4_000_000 },
      dispatch: async (command, ...rest) => {
        if (command !== "attached") return echo(command, ...rest);
        await new Promise(setImmediate);
        const attachment = Buffer.alloc(3_000_000);
        given.push(new WeakRef(attachment));
        return new AttachedReply({}, attachment);
      },
    });
    const deaf = await harness.connect();
    deaf.socket.pause();
    for (let id = 1; id <= 4; id += 1) deaf.request("attached", id);
    await untilPaused(harness, 20);
    expect(given.length).toBe(4);
    await deaf.close();
    while (harness.server.connectionCount > 0) await new Promise(setImmediate);
    // Their deadlines haven't run: a clock of the test's own stands still.
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let round = 0; round < 50 && given.some((each) => each.deref() !== undefined); round += 1) {
      await new Promise(setImmediate);
      collect();
    }
    expect(given.map((each) => each.deref())).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("are all read by a peer that has ended its side, however late it reads", async () => {
    const clock = new ManualClock();
    await using harness = await serveTwo(clock);
    const client = await harness.connect(true);
    client.socket.pause();
    for (let id = 1; id <= 4; id += 1) client.request("attached", id);
    client.socket.end();
    await untilPaused(harness, 20);
    await clock.advance(50_000);
    client.socket.resume();
    for (let id = 1; id <= 4; id += 1) {
      const { requestId, attachment } = await client.next();
      expect([requestId, attachment?.length]).toEqual([id, ATTACHMENT.length]);
    }
    await expect(client.next()).rejects.toThrow("closed");
  });
});

describe("a peer that has ended its side", () => {
  /** Asks for more than a socket holds, ends its side, and reads nothing yet. */
  const askAndEnd = async (harness: Awaited<ReturnType<typeof serve>>): Promise<RawClient> => {
    const client = await harness.connect(true);
    client.socket.pause();
    for (let id = 1; id <= 4; id += 1) client.request("large", id, { bytes: 200_000 });
    client.socket.end();
    await untilPaused(harness, 20);
    return client;
  };

  it("gets its answers, also when it reads them late", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock });
    const client = await askAndEnd(harness);
    await clock.advance(20_000);
    client.socket.resume();
    for (let id = 1; id <= 4; id += 1) expect(await client.next()).toMatchObject({ requestId: id });
    await client.closed();
  });

  it("is cut off when it doesn't read them at all", async () => {
    const clock = new ManualClock();
    await using harness = await serve({ clock });
    await askAndEnd(harness);
    await clock.advance(29_999);
    expect(harness.server.connectionCount).toBe(1);
    await clock.advance(1);
    while (harness.server.connectionCount > 0) await new Promise(setImmediate);
    expect(harness.server.metrics.queuedBytes).toBe(0);
  });
});
