import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MIN_TICK_MS, nextTickMs } from "./next-tick.js";
import { PressureBroker } from "./pressure-broker.js";
import { FakePool } from "./testing/fake-pool.js";
import { ManualClock } from "./testing/manual-clock.js";

const CAPACITY = 1e12;

/** Plays a pool's level against a broker's own tick, and gives each tick's time and length. */
async function play(
  level: (atMs: number) => number,
  { tickMs = 5_000, untilMs = 600_000 }: { tickMs?: number; untilMs?: number } = {},
): Promise<readonly { readonly atMs: number; readonly ms: number }[]> {
  const clock = new ManualClock();
  const pool = new FakePool("disk", { usedBytes: 0, capacityBytes: CAPACITY });
  const broker = new PressureBroker({ clock, policy: { actAbove: 1, stopBelow: 0.99, target: 0.98 } });
  broker.register(pool);
  const ticks: { atMs: number; ms: number }[] = [];
  while (clock.monotonicMs() < untilMs && level(clock.monotonicMs()) < 1) {
    pool.usedBytes = Math.round(level(clock.monotonicMs()) * CAPACITY);
    await broker.relieve();
    const ms = broker.nextTickMs(tickMs);
    ticks.push({ atMs: clock.monotonicMs(), ms });
    await clock.advance(ms);
  }
  await broker.close();
  return ticks;
}

const shortest = (ticks: readonly { readonly ms: number }[]): number =>
  Math.min(...ticks.map(({ ms }) => ms));

describe("nextTickMs", () => {
  it("is never longer than configured, nor shorter than 250 ms unless that is", () => {
    const state = fc.record({
      tickMs: fc.integer({ min: 1, max: 600_000 }),
      timeToFullMs: fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.constant(Infinity)),
      isRelieving: fc.boolean(),
    });
    fc.assert(
      fc.property(state, (each) => {
        const ms = nextTickMs(each);
        expect(ms).toBeLessThanOrEqual(each.tickMs);
        expect(ms).toBeGreaterThanOrEqual(Math.min(MIN_TICK_MS, each.tickMs));
      }),
    );
  });

  it("is what was configured when all is calm, and at most 250 ms while a relief goes on", () => {
    expect(nextTickMs({ tickMs: 5_000, timeToFullMs: Infinity, isRelieving: false })).toBe(5_000);
    expect(nextTickMs({ tickMs: 5_000, timeToFullMs: 3_600_000, isRelieving: false })).toBe(5_000);
    expect(nextTickMs({ tickMs: 5_000, timeToFullMs: 3_600_000, isRelieving: true })).toBe(MIN_TICK_MS);
    expect(nextTickMs({ tickMs: 100, timeToFullMs: 0, isRelieving: true })).toBe(100);
  });
});

describe("the tick of a broker", () => {
  it("keeps to the configured one on a pool that stands still, and on a slow fill", async () => {
    expect(shortest(await play(() => 0.5))).toBe(5_000);
    expect(shortest(await play((atMs) => 0.3 + (atMs / 3_600_000) * 0.1))).toBe(5_000);
  });

  it("reads a fast fill ever more often, twenty times before it is full, down to 250 ms", async () => {
    // Still for a minute, then full within another.
    const ticks = await play((atMs) => 0.3 + Math.max(0, atMs - 60_000) * (0.7 / 60_000));
    expect(ticks.filter(({ atMs }) => atMs > 60_000).length).toBeGreaterThan(20);
    expect(ticks.at(-1)?.ms).toBe(MIN_TICK_MS);
    expect(ticks.filter(({ atMs }) => atMs <= 60_000).every(({ ms }) => ms === 5_000)).toBe(true);
    // And no slower again from one lump to the next.
    const lumps = await play((atMs) => 0.3 + Math.floor(Math.max(0, atMs - 60_000) / 3_000) * (0.7 / 20));
    const late = lumps.filter(({ atMs }) => atMs > 90_000);
    expect(Math.max(...late.map(({ ms }) => ms))).toBeLessThan(2_000);
    expect(lumps.at(-1)?.ms).toBeLessThan(500);
  });

  it("isn't hastened by noise at half a disk, nor for long by one jump, and is calm a minute after it", async () => {
    let seed = 1;
    const noise = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5;
    expect(shortest(await play(() => 0.5 + 0.01 * noise()))).toBe(5_000);
    const ticks = await play((atMs) => (atMs < 60_000 ? 0.85 : 0.92));
    expect(shortest(ticks)).toBeLessThan(1_500);
    expect(shortest(ticks)).toBeGreaterThan(500);
    expect(shortest(ticks.filter(({ atMs }) => atMs > 125_000))).toBe(5_000);
  });

  it("keeps to a slow rate that was asked for, until there is cause", async () => {
    const tickMs = 60_000;
    expect(shortest(await play(() => 0.5, { tickMs, untilMs: 3_600_000 }))).toBe(tickMs);
    const ticks = await play((atMs) => 0.5 + (atMs / 3_600_000) * 0.5, { tickMs, untilMs: 3_600_000 });
    expect(ticks[5]?.ms).toBe(tickMs);
    expect(ticks.at(-1)?.ms).toBe(MIN_TICK_MS);
  });
});
