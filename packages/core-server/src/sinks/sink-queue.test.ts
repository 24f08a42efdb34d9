import { ManualClock } from "@continuum/broker-core/testing";
import type { AlertMessage } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { alertMessage } from "../testing/alert-message.js";
import { recordingLog } from "../testing/recording-log.js";
import type { AlertSink } from "./alert-sink.js";
import type { MessageStore } from "./kept-messages.js";
import { SinkError } from "./sink-error.js";
import { MAX_WAITING, SinkQueue } from "./sink-queue.js";

/** A queue over a sink that a test scripts. */
function startQueue(
  deliver: (message: AlertMessage, signal: AbortSignal) => Promise<void>,
  more: Partial<AlertSink> & {
    readonly open?: readonly AlertMessage[];
    readonly store?: MessageStore;
    readonly clock?: ManualClock;
  } = {},
) {
  const { log, entries } = recordingLog();
  const { open = [], store, clock = new ManualClock(), ...rest } = more;
  const sink: AlertSink = { kind: "json", target: "there", deadlineMs: 10_000, deliver, ...rest };
  const queue = new SinkQueue({
    name: "json",
    sink,
    clock,
    log,
    openMessages: () => open,
    random: () => 0,
    ...(store === undefined ? {} : { store }),
  });
  const warnings = (): unknown[] => entries.filter(({ level }) => level === 40).map(({ msg }) => msg);
  return { clock, queue, warnings };
}

const unavailable = (text = "503", retryAfterMs: number | null = null): Promise<never> =>
  Promise.reject(new SinkError("unavailable", text, { retryAfterMs }));
/** A store that outlives queues; as on disk what comes back is another object. */
function storeOf(kept: { value?: unknown } = {}, isDurable = true) {
  const store: MessageStore = {
    load: () => kept.value,
    put: (value) => {
      if (value === null) delete kept.value;
      else kept.value = JSON.parse(JSON.stringify(value));
    },
    isDurable: () => isDurable,
  };
  return { kept, store };
}
const nth = (i: number): AlertMessage => alertMessage({ messageCount: i });

describe("a sink's queue", () => {
  it("delivers in order, in a turn of its own", async () => {
    const got: number[] = [];
    const { clock, queue } = startQueue((message) => {
      got.push(message.messageCount);
      return Promise.resolve();
    });
    queue.offer(nth(1));
    queue.offer(nth(2));
    expect(got).toEqual([]);
    await clock.advance(0);
    expect(got).toEqual([1, 2]);
    queue.offer(nth(3));
    await clock.advance(0);
    expect(got).toEqual([1, 2, 3]);
    expect(queue.status()).toMatchObject({
      state: "idle",
      queued: 0,
      delivered: 3,
      dropped: 0,
      lastError: null,
    });
    expect(clock.pendingTimers).toBe(0);
  });

  it("misses nothing that is offered at any moment of a delivery's end", async () => {
    const got: number[] = [];
    const { clock, queue } = startQueue((message) => {
      got.push(message.messageCount);
      return Promise.resolve();
    });
    for (let turns = 0; turns < 30; turns += 1) {
      queue.offer(nth(turns));
      for (let i = 0; i < turns; i += 1) await Promise.resolve();
    }
    await clock.advance(0);
    expect(got).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it("tries again with back-off, in order, and says it once", async () => {
    const got: number[] = [];
    let isUp = false;
    const { clock, queue, warnings } = startQueue((message) => {
      if (!isUp) return unavailable("can't be reached");
      got.push(message.messageCount);
      return Promise.resolve();
    });
    queue.offer(nth(1));
    queue.offer(nth(2));
    await clock.advance(0);
    expect(queue.status()).toMatchObject({
      state: "waiting",
      queued: 2,
      failedAttempts: 1,
      lastError: "can't be reached",
      retryAtMs: clock.nowMs() + 1_000,
    });
    await clock.advance(7_000);
    expect(queue.status().failedAttempts).toBe(4);
    isUp = true;
    await clock.advance(8_000);
    expect(got).toEqual([1, 2]);
    expect(queue.status()).toMatchObject({ state: "idle", retryAtMs: null, delivered: 2, queued: 0 });
    expect(warnings()).toEqual([
      "alert sink json: can't be reached; it is tried again",
      "alert sink json delivers again",
    ]);
  });

  it("gives up what is refused at once, what never arrives after an hour, and counts both", async () => {
    const { clock, queue, warnings } = startQueue(({ messageCount }) =>
      messageCount === 1 ? Promise.reject(new SinkError("refused", "answered 404")) : unavailable(),
    );
    queue.offer(nth(1));
    await clock.advance(0);
    expect(queue.status()).toMatchObject({ dropped: 1, queued: 0 });
    queue.offer(nth(2));
    await clock.advance(3_600_000);
    expect(queue.status()).toMatchObject({ dropped: 2, queued: 0, state: "idle", delivered: 0 });
    expect(warnings()).toContain("alert sink json: 2 alert(s) dropped so far: 503");
    expect(clock.pendingTimers).toBe(0);
  });

  it("waits for as long as the receiver asks", async () => {
    let attempts = 0;
    const { clock, queue } = startQueue(() =>
      (attempts += 1) === 1 ? unavailable("429", 30_000) : Promise.resolve(),
    );
    queue.offer(nth(1));
    await clock.advance(29_000);
    expect(attempts).toBe(1);
    await clock.advance(1_000);
    expect(queue.status()).toMatchObject({ delivered: 1 });
  });

  it("is bounded: of too many the oldest go, but for the one on its way", async () => {
    const got: number[] = [];
    let release = (): void => undefined;
    const { clock, queue } = startQueue((message) => {
      got.push(message.messageCount);
      return got.length === 1 ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
    });
    for (let i = 1; i <= MAX_WAITING + 10; i += 1) queue.offer(nth(i));
    await clock.advance(0);
    for (let i = 1; i <= 1_000; i += 1) queue.offer(nth(1_000 + i));
    expect(queue.status()).toMatchObject({ queued: MAX_WAITING, dropped: 1_010 });
    release();
    await clock.advance(0);
    expect(got[0]).toBe(1);
    expect(got.slice(1)).toEqual(
      Array.from({ length: MAX_WAITING - 1 }, (_, i) => 2_000 - MAX_WAITING + 2 + i),
    );
    expect(queue.status()).toMatchObject({ delivered: MAX_WAITING });
  });

  it("ends a delivery at its deadline, whether or not the sink listens, and takes a bug for a refusal", async () => {
    const signals: AbortSignal[] = [];
    const { clock, queue } = startQueue(({ messageCount }, signal) => {
      signals.push(signal);
      if (messageCount === 2) throw new TypeError("a bug");
      return signals.length === 1 ? new Promise(() => undefined) : Promise.resolve();
    });
    queue.offer(nth(1));
    queue.offer(nth(2));
    await clock.advance(10_000);
    expect(signals[0]?.aborted).toBe(true);
    expect(queue.status()).toMatchObject({
      lastError: "alert sink json took longer than 10000 ms",
      failedAttempts: 1,
    });
    await clock.advance(1_000);
    expect(queue.status()).toMatchObject({ delivered: 1, dropped: 1, lastError: "a bug", queued: 0 });
  });

  it("tells what is open again after what waits, once however often it is asked", async () => {
    const told: string[] = [];
    const { clock, queue } = startQueue(
      () => {
        told.push("message");
        return told.length < 2 ? unavailable() : Promise.resolve();
      },
      {
        open: [nth(7)],
        refresh: (open) => {
          told.push(`open ${open[0]?.messageCount}`);
          return told.length < 4 ? unavailable() : Promise.resolve();
        },
      },
    );
    queue.offer(nth(1));
    for (let i = 0; i < 5; i += 1) queue.refresh();
    await clock.advance(10_000);
    expect(told).toEqual(["message", "message", "open 7", "open 7"]);
    expect(queue.status()).toMatchObject({ delivered: 1, dropped: 0, state: "idle" });
  });
});

describe("a queue that is closed", () => {
  it("tries once more what waits, at once, and drops and says what is left", async () => {
    let attempts = 0;
    const { clock, queue, warnings } = startQueue(() => {
      attempts += 1;
      return attempts < 3 ? unavailable() : Promise.resolve();
    });
    for (let i = 1; i <= 3; i += 1) queue.offer(nth(i));
    await clock.advance(0);
    expect(attempts).toBe(1);
    await queue.close(500);
    // The first one failed again, the others arrived.
    expect(queue.status()).toMatchObject({ state: "stopped", delivered: 2, dropped: 1, queued: 0 });
    expect(warnings()).toContain("alert sink json: 1 alert(s) dropped so far: the core stops");
    expect(clock.pendingTimers).toBe(0);
    queue.offer(nth(9));
    queue.refresh();
    await clock.advance(1_000);
    expect(attempts).toBe(4);
  });

  it("is closed within its bound, whatever the sink does", async () => {
    const { clock, queue, warnings } = startQueue(() => new Promise(() => undefined));
    for (let i = 1; i <= 4; i += 1) queue.offer(nth(i));
    await clock.advance(0);
    const closing = queue.close(500);
    await clock.advance(500);
    await closing;
    expect(queue.status()).toMatchObject({ state: "stopped", delivered: 0, dropped: 4, queued: 0 });
    expect(warnings().at(-1)).toBe("alert sink json: 4 alert(s) dropped so far: the core stops");
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("what waits for a sink when its core ends", () => {
  const HOUR = 3_600_000;

  it("is taken up by the next core after a kill, in order, before what is new, once", async () => {
    const { kept, store } = storeOf();
    const clock = new ManualClock();
    const killed = startQueue(() => unavailable(), { store, clock });
    killed.queue.offer(nth(1));
    killed.queue.offer(nth(2));
    // Before any attempt: a kill at any moment finds it kept.
    expect(kept.value).toMatchObject([{ message: { messageCount: 1 } }, { message: { messageCount: 2 } }]);
    const got: number[] = [];
    const deliver = (message: AlertMessage): Promise<void> => {
      got.push(message.messageCount);
      return Promise.resolve();
    };
    const next = startQueue(deliver, { store });
    await startQueue(deliver, { store }).queue.close(0);
    next.queue.takeUp();
    next.queue.offer(nth(3));
    next.queue.takeUp();
    await next.clock.advance(0);
    expect(got).toEqual([1, 2, 3]);
    expect(next.queue.status()).toMatchObject({ delivered: 3, dropped: 0 });
    expect(kept.value).toBeUndefined();
    const third = startQueue(deliver, { store });
    third.queue.takeUp();
    await third.clock.advance(0);
    expect(got).toHaveLength(3);
  });

  it("is left at a stop, and said, whether it failed or was cut off; what arrives or is refused then isn't", async () => {
    const { kept, store } = storeOf();
    const { clock, queue, warnings } = startQueue(
      ({ messageCount }) => {
        if (messageCount === 2) return Promise.reject(new SinkError("refused", "answered 404"));
        if (messageCount === 3) return Promise.resolve();
        return messageCount === 1 ? unavailable() : new Promise(() => undefined);
      },
      { store },
    );
    for (let i = 1; i <= 5; i += 1) queue.offer(nth(i));
    await clock.advance(0);
    const closing = queue.close(500);
    await clock.advance(500);
    await closing;
    const counts = (kept.value as { message: AlertMessage }[]).map(({ message }) => message.messageCount);
    expect(counts).toEqual([1, 4, 5]);
    expect(queue.status()).toMatchObject({ state: "stopped", delivered: 1, dropped: 1, queued: 0 });
    expect(warnings().at(-1)).toBe("alert sink json: 3 alert(s) left to the next core");
    expect(clock.pendingTimers).toBe(0);
  });

  it("is dropped and counted where nothing outlives the core", async () => {
    const { store } = storeOf({}, false);
    const { clock, queue, warnings } = startQueue(() => unavailable(), { store });
    queue.offer(nth(1));
    await clock.advance(0);
    await queue.close(500);
    expect(queue.status()).toMatchObject({ dropped: 1 });
    expect(warnings().at(-1)).toBe("alert sink json: 1 alert(s) dropped so far: the core stops");
  });

  it("has one hour in all, by the wall clock; what is older, or can't be read, is dropped and counted", async () => {
    const clock = new ManualClock();
    const waiting = (messageCount: number, agoMs: number) => ({
      message: nth(messageCount),
      sinceMs: clock.nowMs() - agoMs,
    });
    const { kept, store } = storeOf({
      value: [waiting(1, HOUR + 1), waiting(2, HOUR - 60_000), { sinceMs: 1 }, "?", waiting(3, -HOUR)],
    });
    const { queue, warnings } = startQueue(() => unavailable(), { store, clock });
    queue.takeUp();
    expect(queue.status()).toMatchObject({ queued: 2, dropped: 3 });
    expect(warnings()).toEqual([
      "alert sink json: 2 alert(s) dropped so far: what an earlier core left can't be read",
      "alert sink json: 3 alert(s) dropped so far: an earlier core left it too long ago",
    ]);
    await clock.advance(60_000);
    // The one of the future waits as one of now.
    expect(kept.value).toMatchObject([{ message: { messageCount: 3 } }]);
    await clock.advance(HOUR);
    expect(queue.status()).toMatchObject({ queued: 0, dropped: 5 });
    expect(kept.value).toBeUndefined();
    const odd = startQueue(() => Promise.resolve(), { store: storeOf({ value: { no: "list" } }).store });
    odd.queue.takeUp();
    expect(odd.queue.status()).toMatchObject({ queued: 0, dropped: 1 });
  });

  it("is bounded on disk as it is in memory", () => {
    const { kept, store } = storeOf();
    const { queue } = startQueue(() => unavailable(), { store });
    for (let i = 1; i <= MAX_WAITING * 2; i += 1) queue.offer(nth(i));
    expect(kept.value).toHaveLength(MAX_WAITING);
    const many = Array.from({ length: MAX_WAITING * 2 }, (_, i) => ({ message: nth(i), sinceMs: 0 }));
    const next = startQueue(() => unavailable(), {
      store: storeOf({ value: many }).store,
      clock: new ManualClock(0),
    });
    next.queue.takeUp();
    expect(next.queue.status()).toMatchObject({ queued: MAX_WAITING, dropped: MAX_WAITING });
  });
});
