import { systemClock } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { TickLoop } from "./tick-loop.js";

function setUp(tick: (signal: AbortSignal) => Promise<void>) {
  const clock = new ManualClock();
  const { log, entries } = recordingLog();
  return { loop: new TickLoop({ name: "m", intervalMs: 100, tick, clock, log }), clock, entries };
}

const bind = (clock: ManualClock) => ({
  nowMs: () => clock.nowMs(),
  setTimeout: (run: () => void, delayMs: number) => clock.setTimeout(run, delayMs),
});

/** The loop of the test that needs real time. */
let blocked: TickLoop | null = null;

describe("TickLoop", () => {
  it("ticks every interval, and no more once it is stopped", async () => {
    const { loop, clock } = setUp(() => Promise.resolve());
    loop.start();
    await clock.advance(99);
    expect(loop.counts.ticks).toBe(0);
    await clock.advance(201);
    expect(loop.counts).toEqual({ ticks: 3, slow: 0, missed: 0, failed: 0, lastMs: 0, maxMs: 0 });
    await loop.stop();
    await clock.advance(1000);
    expect(loop.counts.ticks).toBe(3);
  });

  it("tells of each due time how late it was noticed", async () => {
    const clock = new ManualClock();
    const { log } = recordingLog();
    const heard: number[] = [];
    const late = { ...bind(clock), monotonicMs: () => clock.monotonicMs() + lag };
    let lag = 0;
    const loop = new TickLoop({
      name: "m",
      intervalMs: 100,
      tick: () => Promise.resolve(),
      clock: late,
      log,
      onDue: (lateMs) => heard.push(lateMs),
    });
    loop.start();
    await clock.advance(100);
    lag = 40;
    await clock.advance(100);
    expect(heard).toEqual([0, 40]);
    await loop.stop();
  });

  it("never runs two ticks at once, and counts those it misses", async () => {
    let finish = (): void => undefined;
    const { loop, clock } = setUp(() => new Promise((resolve) => (finish = resolve)));
    loop.start();
    await clock.advance(350);
    expect(loop.counts).toMatchObject({ ticks: 1, missed: 2 });
    finish();
    await clock.advance(100);
    expect(loop.counts).toMatchObject({ ticks: 2, missed: 2 });
    finish();
    await loop.stop();
  });

  it("goes on after a tick that throws, now or later", async () => {
    let round = 0;
    const { loop, clock, entries } = setUp(() => {
      round += 1;
      if (round === 1) throw new Error("at once");
      return round === 2 ? Promise.reject(new Error("later")) : Promise.resolve();
    });
    loop.start();
    await clock.advance(300);
    expect(loop.counts).toMatchObject({ ticks: 3, missed: 0, failed: 2 });
    expect(entries.map(({ msg }) => msg)).toEqual([
      "a tick of m failed: at once",
      "a tick of m failed: later",
    ]);
    await loop.stop();
  });

  it("sees a tick that blocks the process as slow, and what it kept from ticking as missed", async () => {
    const { log } = recordingLog();
    let ticks = 0;
    const hasTickedTwice = new Promise<void>((resolve) => {
      const tick = (): Promise<void> => {
        ticks += 1;
        if (ticks === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        if (ticks === 2) resolve();
        return Promise.resolve();
      };
      const loop = new TickLoop({ name: "m", intervalMs: 50, tick, clock: systemClock, log });
      loop.start();
      onTestFinished(() => loop.stop());
      blocked = loop;
    });
    await hasTickedTwice;
    expect(blocked?.counts.slow).toBeGreaterThanOrEqual(1);
    expect(blocked?.counts.maxMs).toBeGreaterThanOrEqual(299);
    // Due after 50, 100, ... 300 ms: the one that comes late stands for one of them.
    expect(blocked?.counts.missed).toBeGreaterThanOrEqual(4);
    blocked = null;
  });

  it("doesn't take a tick for missed that comes late after one that took longer than the interval", async () => {
    const clock = new ManualClock();
    const { log } = recordingLog();
    let lag = 0;
    const late = { ...bind(clock), monotonicMs: () => clock.monotonicMs() + lag };
    let finish = (): void => undefined;
    const tick = (): Promise<void> => new Promise((resolve) => (finish = resolve));
    const loop = new TickLoop({ name: "m", intervalMs: () => 100, tick, clock: late, log });
    loop.start();
    // Due at 100, at 200 while that one runs, and as soon as it has ended, at 250.
    await clock.advance(250);
    finish();
    await clock.advance(0);
    lag = 40;
    await clock.advance(1);
    expect(loop.counts).toMatchObject({ ticks: 2, missed: 1 });
    finish();
    await loop.stop();
  });

  it("aborts the tick that runs when it stops, and waits for it", async () => {
    let ended = false;
    const { loop, clock, entries } = setUp(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            ended = true;
            reject(signal.reason as Error);
          });
        }),
    );
    loop.start();
    await clock.advance(100);
    await loop.stop();
    expect(ended).toBe(true);
    expect(entries).toEqual([]);
  });

  it("comes sooner where the tick that has just ended found cause for it, and only then", async () => {
    const clock = new ManualClock();
    const { log } = recordingLog();
    const ticksAtMs: number[] = [];
    let intervalMs = 1000;
    const tick = (): Promise<void> => {
      ticksAtMs.push(clock.monotonicMs());
      if (ticksAtMs.length === 2) intervalMs = 200;
      if (ticksAtMs.length === 4) intervalMs = 1000;
      return Promise.resolve();
    };
    const loop = new TickLoop({ name: "m", intervalMs: () => intervalMs, tick, clock, log });
    loop.start();
    await clock.advance(4500);
    expect(ticksAtMs).toEqual([1000, 2000, 2200, 2400, 2600, 3600]);
    expect(loop.counts.missed).toBe(0);
    await loop.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
