import { beforeEach, describe, expect, it, vi } from "vitest";
import { PoolError } from "./index.js";
import { FakePool, toReading } from "./testing/index.js";
import { createBrokerFixture, holdEviction, size } from "./testing/broker-fixture.js";

const HOUR_MS = 3_600_000;

describe("PressureBroker's relief over time", () => {
  let { clock, broker, errors, round } = createBrokerFixture();
  beforeEach(() => {
    ({ clock, broker, errors, round } = createBrokerFixture());
  });
  const freeNothing = (pool: FakePool): void => {
    pool.onEvict = () => Promise.resolve(pool.free(0));
  };
  const stateOf = (name: string): string | undefined =>
    broker.relief().find((each) => each.name === name)?.state;

  it("a pool that hangs delays the relief of the others by 250 ms once, and not at all while it still hangs", async () => {
    const hanging = new FakePool("hanging", size(990));
    hanging.onRead = () => new Promise<never>(() => undefined);
    const good = new FakePool("good", size(970));
    broker.register(hanging);
    broker.register(good);
    void broker.relieve();
    await clock.advance(249);
    expect(good.requests).toHaveLength(0);
    await clock.advance(1);
    expect(good.requests).toHaveLength(1);
    await clock.advance(20_000);
    good.usedBytes = 970;
    void broker.relieve();
    await clock.advance(0);
    expect(good.requests).toHaveLength(2);
  });

  it("a pool that hangs in its eviction delays no other's relief, and is relieved again once it has ended", async () => {
    const stuck = new FakePool("stuck", size(990));
    const end = holdEviction(stuck);
    const good = new FakePool("good", size(970));
    broker.register(stuck);
    broker.register(good);
    const first = await broker.relieve();
    await clock.advance(0);
    expect(good.requests).toHaveLength(1);
    await clock.advance(HOUR_MS);
    good.usedBytes = 850;
    void broker.relieve();
    await clock.advance(0);
    expect(good.requests).toHaveLength(2);
    expect(stuck.requests).toHaveLength(1);
    end();
    await first.done;
    stuck.usedBytes = 990;
    stuck.onEvict = null;
    expect(await round()).toMatchObject([{ pool: "stuck", freedBytes: 390 }]);
  });

  it("relieves in rounds with a measurement between, down to the stop threshold, and then cools down", async () => {
    const pool = new FakePool("docker", size(900));
    const read = vi.spyOn(pool, "read");
    pool.onEvict = ({ wantBytes }) => Promise.resolve(pool.free(Math.min(wantBytes, 100)));
    broker.register(pool);
    expect(await round()).toMatchObject([{ wantBytes: 300, freedBytes: 100 }]);
    expect(read).toHaveBeenCalledTimes(3);
    expect(broker.nextTickMs(5_000)).toBe(250);
    // Below the start by now; the relief goes on, and ends at its stop.
    pool.usedBytes = 790;
    expect(await round()).toMatchObject([{ wantBytes: 190, freedBytes: 100 }]);
    expect(pool.usedBytes).toBe(690);
    expect(stateOf("docker")).toBe("coolingDown");
    pool.usedBytes = 900;
    await clock.advance(14_999);
    expect(await round()).toEqual([]);
    await clock.advance(1);
    expect(await round()).toMatchObject([{ freedBytes: 100 }]);
  });

  it("a pool that is late has no say by what it once was: the others aren't relieved for its sake", async () => {
    const late = new FakePool("late", size(950));
    freeNothing(late);
    broker.register(late);
    broker.register(new FakePool("a", size(850)));
    broker.register(new FakePool("b", size(500)));
    await round();
    late.onRead = () => new Promise<never>(() => undefined);
    await clock.advance(60_000);
    for (const pool of broker.pools()) if (pool instanceof FakePool && pool !== late) pool.usedBytes = 850;
    const relieving = broker.relieve();
    await clock.advance(250);
    // Not critical without it: one at a time.
    expect((await relieving).decisions).toMatchObject([
      { name: "late", reason: "stale" },
      { name: "a", action: "evict" },
      { name: "b", reason: "notTheWorst" },
    ]);
  });

  it("a pool that is replaced while a round reads isn't judged by it", async () => {
    const old = new FakePool("docker", size(970));
    old.onRead = () => {
      broker.register(new FakePool("docker", size(100)));
      return Promise.resolve(toReading(size(970)));
    };
    broker.register(old);
    const { decisions, done } = await broker.relieve();
    await done;
    expect(decisions).toEqual([]);
    expect(old.requests).toEqual([]);
  });

  it("a read ends with the pool's registration", async () => {
    const pool = new FakePool("docker", size(100));
    pool.onRead = () => new Promise<never>(() => undefined);
    broker.register(pool);
    const read = broker.read("docker");
    broker.unregister("docker");
    await expect(read).rejects.toMatchObject({ code: "aborted" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("what an eviction freed before its pool was unregistered is measured and counted", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = ({ signal }) => {
      const result = pool.free(200);
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(result), { once: true });
      });
    };
    broker.register(pool);
    const { done } = await broker.relieve();
    await clock.advance(0);
    broker.unregister("docker");
    expect(await done).toMatchObject([{ measured: true, freedBytes: 200 }]);
    expect(broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 200 });
  });

  it("an eviction whose pool is unregistered before it begins is aborted from the start", async () => {
    const pool = new FakePool("docker", size(970));
    broker.register(pool);
    const { done } = await broker.relieve();
    broker.unregister("docker");
    await done;
    expect(pool.requests.map(({ signal }) => signal.aborted)).not.toContain(false);
  });

  it("an eviction that only says what it would do is none that fired", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = () => Promise.resolve({ ...pool.free(0), dryRun: true });
    broker.register(pool);
    expect(await round()).toMatchObject([{ attempted: true, dryRun: true }]);
    expect(broker.counters.evictionsFired).toBe(0);
  });

  it("a failure that says nothing of the pool's yield is tried again after seconds, and shown as back-off", async () => {
    const pool = new FakePool("docker", size(900));
    pool.onEvict = () => Promise.reject(new PoolError("unreachable", "no engine"));
    broker.register(pool);
    await round();
    expect(broker.relief()).toMatchObject([{ state: "backingOff", ineffectiveRounds: 0 }]);
    await clock.advance(4_999);
    expect(await round()).toEqual([]);
    await clock.advance(1);
    expect(await round()).toHaveLength(1);
  });

  it("what is calm by the time of the fresh reading isn't evicted, isn't alerted, and costs no back-off", async () => {
    const pool = new FakePool("docker", size(900));
    const heard = vi.fn();
    broker.addAlertSink(heard);
    const figures = [900, 500];
    pool.onRead = () => Promise.resolve(toReading(size(figures.shift() ?? 900)));
    broker.register(pool);
    expect(await round()).toMatchObject([{ superfluous: true, attempted: false, error: null }]);
    expect(pool.requests).toEqual([]);
    expect(heard).not.toHaveBeenCalled();
    expect(broker.relief()).toMatchObject([{ roundsInRelief: 0, ineffectiveRounds: 0, notBeforeMs: null }]);
    // Full again, it is relieved at once: what was superfluous was no round without yield.
    expect(await round()).toHaveLength(1);
    expect(pool.requests).toHaveLength(1);
  });

  it("a pool that has only a stale figure right before its eviction fails that round, and is heard of", async () => {
    const pool = new FakePool("docker", size(900));
    let reads = 0;
    pool.onRead = () => Promise.resolve(toReading({ ...size(900), stale: (reads += 1) === 2 }));
    broker.register(pool);
    expect(await round()).toMatchObject([{ superfluous: false, attempted: false, measured: false }]);
    expect(pool.requests).toEqual([]);
    expect(errors).toEqual(["eviction of pool docker: pool docker can only give a stale reading"]);
  });

  it("a day with a pool of which nothing can be freed: some fifty attempts, ineffective all day", async () => {
    const pool = new FakePool("docker", size(970));
    freeNothing(pool);
    broker.register(pool);
    const states = new Set<string | undefined>();
    for (let atMs = 0, i = 0; atMs < 24 * HOUR_MS; i += 1) {
      // What an engine writes for itself is no news.
      pool.usedBytes = 970 + (i % 7);
      await round();
      if (i > 2) states.add(stateOf("docker"));
      const waitMs = broker.nextTickMs(5_000);
      atMs += waitMs;
      await clock.advance(waitMs);
    }
    expect(pool.requests.length).toBeGreaterThanOrEqual(45);
    expect(pool.requests.length).toBeLessThanOrEqual(60);
    expect([...states].filter((state) => state !== "ineffective")).toEqual([]);
  });

  it("a day with a pool that says itself that nothing can be freed: it is never asked", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onRead = () => Promise.resolve(toReading({ ...size(970), reclaimableBytes: 0 }));
    const heard = vi.fn();
    broker.addAlertSink(heard);
    broker.register(pool);
    for (let atMs = 0; atMs < 24 * HOUR_MS; atMs += 5_000) {
      await round();
      await clock.advance(5_000);
    }
    expect(pool.requests).toEqual([]);
    expect(stateOf("docker")).toBe("ineffective");
    expect(heard.mock.calls.length).toBeLessThanOrEqual(60);
  });

  describe("after the machine slept for hours", () => {
    it("drops what a read saw before, though no timer has fired yet", async () => {
      const pool = new FakePool("docker", size(970));
      let answer = (): void => undefined;
      pool.onRead = () => {
        const seen = toReading(size(pool.usedBytes));
        return new Promise((resolve) => (answer = () => resolve(seen)));
      };
      broker.register(pool);
      const relieving = broker.relieve();
      clock.leap(8 * HOUR_MS);
      pool.usedBytes = 100;
      answer();
      await relieving;
      expect(pool.requests).toEqual([]);
      expect(broker.reading("docker")).toBeNull();
      expect(errors).toEqual(["pool docker: reading pool docker took longer than 3000 ms"]);
      pool.onRead = null;
      expect(await round()).toEqual([]);
      expect(broker.reading("docker")).toMatchObject({ usedBytes: 100, stale: false });
    });

    it("evicts nothing by a reading of before, also when the pool hangs from then on", async () => {
      const pool = new FakePool("docker", size(790));
      broker.register(pool);
      await round();
      pool.usedBytes = 990;
      pool.onRead = () => new Promise<never>(() => undefined);
      clock.leap(8 * HOUR_MS);
      void broker.relieve();
      await clock.advance(10_000);
      expect(pool.requests).toEqual([]);
      expect(stateOf("docker")).toBe("stale");
    });

    it("says nothing of when the pool will be full, until it has watched it again", async () => {
      const pool = new FakePool("docker", size(100));
      broker.register(pool);
      for (let i = 0; i < 60; i += 1) {
        pool.usedBytes += 2;
        await round();
        await clock.advance(5_000);
      }
      expect(broker.forecast("docker")?.timeToFullMs).not.toBeNull();
      clock.leap(8 * HOUR_MS);
      pool.usedBytes = 500;
      await round();
      expect(broker.forecast("docker")?.timeToFullMs).toBeNull();
      expect(broker.trends(600_000).trends).toEqual([]);
      expect(broker.nextTickMs(5_000)).toBe(5_000);
    });

    it("back-off and cooldown are over, and begin anew where they must", async () => {
      const stuck = new FakePool("stuck", size(970));
      freeNothing(stuck);
      const good = new FakePool("good", size(970));
      broker.register(stuck);
      broker.register(good);
      for (let i = 0; i < 6; i += 1) {
        await round();
        await clock.advance(60_000);
      }
      const asked = stuck.requests.length;
      good.usedBytes = 970;
      clock.leap(8 * HOUR_MS);
      expect((await round()).map(({ pool }) => pool)).toEqual(["stuck", "good"]);
      await clock.advance(5_000);
      await round();
      expect(stuck.requests).toHaveLength(asked + 1);
      expect(stateOf("stuck")).toBe("ineffective");
    });
  });

  it("a wall clock that is set forth or back changes nothing of what is waited for", async () => {
    const pool = new FakePool("docker", size(970));
    freeNothing(pool);
    broker.register(pool);
    await round();
    await round();
    for (const nowMs of [0, 4_000_000_000_000]) {
      clock.jumpTo(nowMs);
      expect(await round()).toEqual([]);
      expect(broker.relief()).toMatchObject([{ state: "ineffective", notBeforeMs: nowMs + 60_000 }]);
    }
    await clock.advance(60_000);
    expect(await round()).toHaveLength(1);
  });
});
