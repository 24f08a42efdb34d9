import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakePool, toReading } from "./testing/index.js";
import { createBrokerFixture, size } from "./testing/broker-fixture.js";

describe("PressureBroker's readings", () => {
  let { clock, broker, errors, round } = createBrokerFixture();
  beforeEach(() => {
    ({ clock, broker, errors, round } = createBrokerFixture());
  });

  it("a hanging pool costs its deadline, delays no other, and doesn't pile up", async () => {
    const hanging = new FakePool("hanging", size(990));
    hanging.onRead = vi.fn(() => new Promise<never>(() => undefined));
    broker.register(hanging);
    broker.register(new FakePool("good", size(970)));
    for (let i = 0; i < 3; i += 1) {
      const relieving = broker.relieve();
      await clock.advance(3_000);
      await (
        await relieving
      ).done;
    }
    expect(hanging.onRead).toHaveBeenCalledTimes(1);
    expect(errors[0]).toMatch(/^pool hanging: reading pool hanging took longer than 3000 ms/);
    expect(broker.snapshot().bytesFreedTotal).toBe(370);
    expect(clock.pendingTimers).toBe(0);
  });

  it("keeps the last reading in sight, marked stale, and never evicts on it", async () => {
    const pool = new FakePool("docker", size(700));
    broker.register(pool);
    await round();
    pool.usedBytes = 990;
    pool.onRead = () => Promise.reject(new Error("gone"));
    await round();
    expect(broker.reading("docker")).toMatchObject({ usedBytes: 700, stale: true });
    expect(broker.snapshot().globalPressure).toBe(0.7);
    expect(pool.requests).toEqual([]);
  });

  it.each([
    { usedBytes: Number.NaN },
    { usedBytes: -1 },
    { capacityBytes: 0.5 },
    { pressure: Infinity },
    { usedBytes: 2 ** 53 },
    { pressure: 0.1 },
  ])("an impossible reading is an error, not a figure: %j", async (figures) => {
    const pool = new FakePool("docker", size(990));
    pool.onRead = () => Promise.resolve({ ...toReading(size(990)), ...figures });
    broker.register(pool);
    expect(await round()).toEqual([]);
    expect(errors[0]).toMatch(/impossible reading/);
    expect(broker.reading("docker")).toBeNull();
  });

  it("aborts a read at its deadline, so that a pool that listens is read again on the next tick", async () => {
    const pool = new FakePool("docker", size(700));
    pool.onRead = (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    broker.register(pool);
    const relieving = broker.relieve();
    await clock.advance(3_000);
    await relieving;
    expect(broker.reading("docker")).toBeNull();
    pool.onRead = null;
    await round();
    expect(broker.reading("docker")).toMatchObject({ usedBytes: 700, stale: false });
  });

  it("drops what a read says after its deadline: it is of another moment", async () => {
    const pool = new FakePool("docker", size(700));
    broker.register(pool);
    await round();
    let answer = (): void => undefined;
    pool.onRead = vi.fn(
      () =>
        new Promise<never>((resolve) => {
          answer = () => {
            resolve(toReading(size(990)) as never);
          };
        }),
    );
    const relieving = broker.relieve();
    await clock.advance(3_000);
    await relieving;
    // The next round finds it still hanging: it fails at once instead of waiting for a figure that is old already.
    await round();
    answer();
    await clock.advance(0);
    expect(pool.onRead).toHaveBeenCalledTimes(1);
    expect(broker.reading("docker")).toMatchObject({ usedBytes: 700, stale: true });
    expect(pool.requests).toEqual([]);
    pool.onRead = null;
    await round();
    expect(broker.reading("docker")).toMatchObject({ usedBytes: 700, stale: false });
  });

  it("a caller who gives up says nothing about the pool: its reading stays fresh", async () => {
    const pool = new FakePool("docker", size(700));
    broker.register(pool);
    await round();
    await expect(broker.read("docker", AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    expect(broker.reading("docker")).toMatchObject({ stale: false });
  });

  it("measures nothing by a reading that the pool itself calls stale, and draws no trend from it", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = ({ wantBytes }) => {
      pool.stale = true;
      return Promise.resolve(pool.free(wantBytes));
    };
    broker.register(pool);
    expect(await round()).toMatchObject([{ freedBytes: 0, measured: false }]);
    await clock.advance(5_000);
    await round();
    expect(broker.trends(60_000).trends).toEqual([]);
    expect(pool.requests).toHaveLength(1);
  });

  it("tells trends from its readings, and nothing from a single one", async () => {
    const pool = new FakePool("docker", size(100));
    broker.register(pool);
    await round();
    expect(broker.trends(60_000).trends).toEqual([]);
    for (let i = 0; i < 20; i += 1) {
      await clock.advance(5_000);
      pool.usedBytes += 10;
      await round();
    }
    expect(broker.trends(60_000).trends).toEqual([
      { name: "docker", windowMs: 60_000, fromPressure: 0.18, toPressure: 0.3, bytesPerSecond: 2 },
    ]);
  });
});
