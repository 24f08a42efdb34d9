import { describe, expect, it } from "vitest";
import { PressureBroker } from "./pressure-broker.js";
import { ReadingHistory } from "./reading-history.js";
import { forecastFill } from "./forecast-fill.js";
import { FakePool, toReading } from "./testing/fake-pool.js";
import { ManualClock } from "./testing/manual-clock.js";

const CAPACITY = 1e12;
const TICK_MS = 5_000;

/** A broker that has read a pool `count` times as it grew by a thousandth from one reading to the next. */
async function filling(count = 200) {
  const clock = new ManualClock();
  const pool = new FakePool("disk", { usedBytes: 0.2 * CAPACITY, capacityBytes: CAPACITY });
  const broker = new PressureBroker({ clock, policy: { actAbove: 1, stopBelow: 0.99, target: 0.98 } });
  broker.register(pool);
  const read = async (growth: number): Promise<void> => {
    pool.usedBytes += growth * CAPACITY;
    await broker.relieve();
    await clock.advance(TICK_MS);
  };
  for (let i = 0; i < count; i += 1) await read(0.001);
  return { clock, pool, broker, read, forecast: () => broker.forecast("disk") };
}

describe("a broker's forecast", () => {
  it("is of the pool's last reading, in bytes a second", async () => {
    const { broker, clock, forecast } = await filling();
    const { atMs, basis, bytesPerSecond, timeToFullMs, fullAtMs } = forecast() ?? {};
    expect(basis).toBe("steady");
    expect(bytesPerSecond).toBeCloseTo((0.001 * CAPACITY) / 5, -4);
    expect(timeToFullMs).toBeCloseTo(600 * TICK_MS, -3);
    expect(atMs).toBe(clock.nowMs() - TICK_MS);
    expect(fullAtMs).toBe((atMs ?? 0) + (timeToFullMs ?? 0));
    expect(broker.forecasts()).toHaveLength(1);
  });

  it("isn't moved by a wall clock that jumps", async () => {
    const { clock, read, forecast } = await filling();
    clock.jumpTo(clock.nowMs() - 86_400_000);
    await read(0.001);
    expect(forecast()?.timeToFullMs).toBeCloseTo(599 * TICK_MS, -3);
    expect(forecast()?.fullAtMs).toBeCloseTo(clock.nowMs() + 598 * TICK_MS, -3);
    clock.jumpTo(clock.nowMs() + 7 * 86_400_000);
    await read(0.001);
    expect(forecast()?.timeToFullMs).toBeCloseTo(598 * TICK_MS, -3);
  });

  it("leaves stale readings out, and goes on after them where the fill did", async () => {
    const { pool, read, forecast } = await filling();
    const before = forecast();
    pool.stale = true;
    for (let i = 0; i < 12; i += 1) await read(0.001);
    expect(forecast()?.timeToFullMs).toBe(before?.timeToFullMs);
    pool.stale = false;
    await read(0.001);
    expect(forecast()?.timeToFullMs).toBeCloseTo(587 * TICK_MS, -3);
  });

  it("is silent after a gap in which nobody knows what happened", async () => {
    const { pool, clock, read, forecast } = await filling();
    await clock.advance(3_600_000);
    // As if nothing had been written all the time, and then as if half the disk had been.
    await read(0);
    expect(forecast()?.timeToFullMs).toBeNull();
    pool.usedBytes = 0.95 * CAPACITY;
    await read(0);
    expect(forecast()?.timeToFullMs).toBeNull();
  });

  it("ends soon after a fill has ended, and with a pool that is gone", async () => {
    const { pool, read, forecast } = await filling();
    for (let i = 0; i < 24; i += 1) await read(0);
    expect(forecast()?.timeToFullMs).toBeNull();
    pool.detected = false;
    await read(0);
    expect(forecast()).toMatchObject({ basis: "undetected", timeToFullMs: null, fullAtMs: null });
  });
});

describe("ReadingHistory", () => {
  const at = (history: ReadingHistory, ms: number, ratio: number): void =>
    history.add(toReading({ usedBytes: ratio * CAPACITY, capacityBytes: CAPACITY }), ms);

  it("begins anew where the clock went back, and keeps one reading of a moment", () => {
    const history = new ReadingHistory();
    for (let i = 0; i < 100; i += 1) at(history, i * TICK_MS, 0.2 + i * 0.001);
    expect(forecastFill(history.samples).basis).toBe("steady");
    at(history, 1_000, 0.9);
    at(history, 1_000, 0.4);
    expect(history.samples).toMatchObject([{ monotonicMs: 1_000, pressure: 0.4 }]);
    expect(forecastFill(history.samples).basis).toBe("tooShort");
  });

  it("gives shares of the newest capacity: a disk that grows goes on filling", () => {
    const history = new ReadingHistory();
    const usedAt = (i: number): number => (0.2 + i * 0.001) * CAPACITY;
    for (let i = 0; i < 154; i += 1) {
      const capacityBytes = i < 150 ? CAPACITY : 2 * CAPACITY;
      history.add(toReading({ usedBytes: usedAt(i), capacityBytes }), i * TICK_MS);
    }
    const { basis, timeToFullMs } = forecastFill(history.samples);
    expect(basis).toBe("steady");
    expect(timeToFullMs).toBeCloseTo(1_647 * TICK_MS, -3);
    // What was kept isn't changed by it: trends say what the pressure was.
    expect(history.trend("disk", 3_600_000, 154 * TICK_MS)?.fromPressure).toBe(0.2);
  });

  it("keeps an hour at most, and no more readings than its bound however fast they come", () => {
    const history = new ReadingHistory();
    for (let i = 0; i < 20_000; i += 1) at(history, i * 10, 0.5);
    expect(history.samples.length).toBeLessThanOrEqual(2_400);
    for (let i = 0; i < 2_000; i += 1) at(history, 200_000 + i * TICK_MS, 0.5);
    const [first, last] = [history.samples[0], history.samples.at(-1)];
    expect((last?.monotonicMs ?? 0) - (first?.monotonicMs ?? 0)).toBeLessThanOrEqual(
      3_600_000 * (4 / 3) + 2 * TICK_MS,
    );
  });
});
