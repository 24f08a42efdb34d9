import type { PressureAlert } from "@continuum/wire-types";
import { brokerSnapshotSchema, pressureAlertSchema } from "@continuum/wire-types";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { PoolError, PressureBroker } from "./index.js";
import { FakePool, toReading } from "./testing/index.js";
import { createBrokerFixture, holdEviction, size } from "./testing/broker-fixture.js";

describe("PressureBroker", () => {
  let { clock, broker, errors, round } = createBrokerFixture();
  let alerts: PressureAlert[];
  beforeEach(() => {
    ({ clock, broker, errors, round } = createBrokerFixture());
    alerts = [];
    broker.addAlertSink((alert) => void alerts.push(alert));
  });

  it("relieves to the target, measures, counts and alerts", async () => {
    const pool = new FakePool("docker", size(970));
    broker.register(pool);
    const [outcome] = await round();
    expect(outcome).toMatchObject({
      wantBytes: 370,
      claimedBytes: 370,
      freedBytes: 370,
      measured: true,
      error: null,
    });
    expect(pool.usedBytes).toBe(600);
    expect(alerts).toEqual([
      {
        tierName: "docker",
        pressure: 0.97,
        tier: "critical",
        bytesFreed: 370,
        actionTaken: true,
        atMs: clock.nowMs(),
      },
    ]);
    for (const alert of alerts) pressureAlertSchema.parse(alert);
    expect(broker.snapshot()).toMatchObject({
      globalPressure: 0.6,
      globalTier: "warning",
      evictionsFired: 1,
      bytesFreedTotal: 370,
    });
    await round();
    expect(alerts).toHaveLength(1);
  });

  it("shows pressure 1.5 as 1.5, highest first, in the contract's shape", async () => {
    broker.register(new FakePool("calm", size(100)));
    broker.register(new FakePool("broken", { usedBytes: 1500, capacityBytes: 1000 }));
    const { done } = await broker.relieve();
    const snapshot = brokerSnapshotSchema.parse(broker.snapshot());
    await done;
    await clock.advance(0);
    expect(snapshot).toMatchObject({ globalPressure: 1.5, globalTier: "critical" });
    expect(snapshot.pools.map(({ name, pressure }) => [name, pressure])).toEqual([
      ["broken", 1.5],
      ["calm", 0.1],
    ]);
    expect(snapshot.pools[0]?.stats).toMatchObject({ totalBytes: 1500, maxBytes: 1000, pressure: 1.5 });
  });

  it("neither alerts nor acts on capacity 0", async () => {
    const pool = new FakePool("docker", { usedBytes: 0, capacityBytes: 0 });
    pool.detected = false;
    broker.register(pool);
    expect(await round()).toEqual([]);
    expect(pool.requests).toEqual([]);
    expect(alerts).toEqual([]);
    expect(broker.snapshot()).toMatchObject({ globalPressure: 0, globalTier: "normal" });
  });

  it("high relieves only the worst, critical all at or over the threshold", async () => {
    const pools = [new FakePool("a", size(810)), new FakePool("b", size(900)), new FakePool("c", size(500))];
    pools.forEach((pool) => broker.register(pool));
    expect((await round()).map(({ pool }) => pool)).toEqual(["b"]);
    pools[1]?.free(-400);
    expect(pools[1]?.usedBytes).toBe(1000);
    expect((await round()).map(({ pool }) => pool)).toEqual(["a", "b"]);
  });

  it("zero freed bytes still alerts, with the action taken: hot and stuck", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = () =>
      Promise.resolve({
        claimedBytes: 500,
        deleted: [],
        wouldDelete: [],
        dryRun: false,
        shortfall: "all in use",
      });
    broker.register(pool);
    const [outcome] = await round();
    expect(outcome).toMatchObject({ claimedBytes: 500, freedBytes: 0, shortfall: "all in use" });
    expect(alerts).toMatchObject([{ bytesFreed: 0, actionTaken: true, tier: "critical" }]);
    expect(broker.snapshot()).toMatchObject({ evictionsFired: 1, bytesFreedTotal: 0 });
  });

  it("backs off a pool that yields nothing, and comes back when it grows", async () => {
    const pool = new FakePool("docker", size(900));
    pool.onEvict = () =>
      Promise.resolve({ claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: null });
    broker.register(pool);
    for (let i = 0; i < 10; i += 1) {
      await round();
      await clock.advance(5_000);
    }
    expect(pool.requests).toHaveLength(2);
    await clock.advance(20_000);
    await round();
    expect(pool.requests).toHaveLength(3);
    pool.usedBytes = 950;
    await round();
    expect(pool.requests).toHaveLength(4);
  });

  it("a throwing pool harms nobody, and what it threw is heard", async () => {
    const bad = new FakePool("bad", size(990));
    bad.onRead = () => Promise.reject(new PoolError("unreachable", "no engine"));
    const worse = new FakePool("worse", size(990));
    worse.onEvict = () => {
      throw new TypeError("a bug");
    };
    const good = new FakePool("good", size(970));
    [bad, worse, good].forEach((pool) => broker.register(pool));
    const outcomes = await round();
    expect(outcomes.map(({ pool, freedBytes }) => [pool, freedBytes])).toEqual([
      ["worse", 0],
      ["good", 370],
    ]);
    expect(outcomes[0]?.error).toBeInstanceOf(TypeError);
    expect(errors).toEqual(["pool bad: no engine", "eviction of pool worse: a bug"]);
    expect(alerts).toHaveLength(2);
  });

  it("a throwing, rejecting or hanging sink harms nobody", async () => {
    const sinkErrors = new PressureBroker({
      clock,
      onError: (error, source) => errors.push(`${source}: ${(error as Error).message}`),
    });
    const heard = vi.fn();
    sinkErrors.addAlertSink(() => {
      throw new Error("thrown");
    });
    sinkErrors.addAlertSink(() => Promise.reject(new Error("rejected")));
    sinkErrors.addAlertSink(() => new Promise(() => undefined));
    sinkErrors.addAlertSink(heard);
    sinkErrors.register(new FakePool("docker", size(970)));
    await (
      await sinkErrors.relieve()
    ).done;
    await clock.advance(0);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(errors).toEqual(["alert sink: thrown", "alert sink: rejected"]);
  });

  it("a removed sink hears nothing more", async () => {
    const heard = vi.fn();
    broker.addAlertSink(heard)();
    broker.register(new FakePool("docker", size(970)));
    await round();
    expect(heard).not.toHaveBeenCalled();
    expect(alerts).toHaveLength(1);
  });

  it("evicts one pool once at a time, and the loop goes on meanwhile", async () => {
    const pool = new FakePool("docker", size(970));
    const finish = holdEviction(pool);
    broker.register(pool);
    const first = await broker.relieve();
    await clock.advance(5_000);
    const second = await broker.relieve();
    expect(second.decisions).toEqual([{ name: "docker", action: "none", reason: "evicting" }]);
    expect(pool.requests).toHaveLength(1);
    finish();
    expect(await first.done).toMatchObject([{ freedBytes: 370 }]);
  });

  it("aborts an eviction at its deadline", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    broker.register(pool);
    const { done } = await broker.relieve();
    await clock.advance(600_000);
    expect(await done).toMatchObject([
      { freedBytes: 0, error: { message: "eviction took longer than 600000 ms" } },
    ]);
  });

  it("counts only what it measured: a liar's claim stays a claim, a failed reading is unmeasured", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = ({ wantBytes }) => {
      pool.onRead = () => Promise.reject(new Error("gone"));
      return Promise.resolve(pool.free(wantBytes));
    };
    broker.register(pool);
    expect(await round()).toMatchObject([{ claimedBytes: 370, freedBytes: 0, measured: false }]);
    expect(broker.snapshot().bytesFreedTotal).toBe(0);
  });

  it("claims nothing of what somebody else frees, and is silent about it", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = () => {
      pool.usedBytes -= 300;
      return Promise.reject(new PoolError("conflict", "an eviction is running already"));
    };
    broker.register(pool);
    expect(await round()).toMatchObject([{ attempted: false, freedBytes: 0 }]);
    expect(alerts).toEqual([]);
    expect(broker.snapshot()).toMatchObject({ evictionsFired: 0, bytesFreedTotal: 0 });
  });

  it("begins nothing without a measurement right before, and claims no action then", async () => {
    const pool = new FakePool("docker", size(970));
    let reads = 0;
    pool.onRead = () => {
      reads += 1;
      return reads === 1 ? Promise.resolve(toReading(size(970))) : Promise.reject(new Error("gone"));
    };
    broker.register(pool);
    expect(await round()).toMatchObject([{ attempted: false, measured: false, freedBytes: 0 }]);
    expect(pool.requests).toEqual([]);
    expect(alerts).toMatchObject([{ bytesFreed: 0, actionTaken: false }]);
    expect(broker.snapshot().evictionsFired).toBe(0);
  });

  it("replaces a pool of the same name, aborting its eviction, and forgets one on unregister", async () => {
    const old = new FakePool("docker", size(970));
    const aborted = vi.fn();
    old.onEvict = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          aborted();
          resolve({ claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: "aborted" });
        });
      });
    broker.register(old);
    const { done } = await broker.relieve();
    await clock.advance(0);
    const fresh = new FakePool("docker", size(970));
    broker.register(fresh);
    await done;
    expect(aborted).toHaveBeenCalledTimes(1);
    expect(broker.pools()).toEqual([fresh]);
    expect(await round()).toMatchObject([{ freedBytes: 370 }]);
    expect(broker.unregister("docker")).toBe(true);
    expect(broker.unregister("docker")).toBe(false);
    expect(broker.snapshot().pools).toEqual([]);
  });

  it("closes: evictions end, no new one starts, no timer is left", async () => {
    const pool = new FakePool("docker", size(970));
    pool.onEvict = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      });
    broker.register(pool);
    const { done } = await broker.relieve();
    await clock.advance(0);
    await broker.close();
    await done;
    pool.onEvict = null;
    const last = await broker.relieve();
    expect([last.decisions, await last.done]).toEqual([[], []]);
    expect(clock.pendingTimers).toBe(0);
    expect(() => broker.register(pool)).toThrow(/closed/);
  });

  it("measures an eviction by a reading that began after it, not by one of a tick that was under way", async () => {
    const pool = new FakePool("docker", size(970));
    const slow: (() => void)[] = [];
    const finish = holdEviction(pool);
    broker.register(pool);
    const { done } = await broker.relieve();
    await clock.advance(0);
    // A tick's reading that saw the disk still full, and arrives only after the eviction.
    pool.onRead = () => {
      const seen = toReading({ usedBytes: pool.usedBytes, capacityBytes: 1000 });
      return new Promise((resolve) => slow.push(() => resolve(seen)));
    };
    const tick = broker.relieve();
    await clock.advance(0);
    finish();
    await clock.advance(0);
    pool.onRead = null;
    slow.forEach((answer) => {
      answer();
    });
    await tick;
    expect(await done).toMatchObject([{ freedBytes: 370, measured: true, after: { usedBytes: 600 } }]);
    expect(broker.reading("docker")).toMatchObject({ usedBytes: 600 });
  });

  it("a pool that is stuck doesn't keep the next worst from relief", async () => {
    const stuck = new FakePool("stuck", size(900));
    stuck.onEvict = () =>
      Promise.resolve({ claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: null });
    const next = new FakePool("next", size(500));
    broker.register(stuck);
    broker.register(next);
    await round();
    await round();
    next.usedBytes = 850;
    expect((await round()).map(({ pool }) => pool)).toEqual(["next"]);
    expect(stuck.requests).toHaveLength(2);
  });

  it("never evicts twice at once from a pool that is registered again while it ignores the abort", async () => {
    const pool = new FakePool("docker", size(970));
    let finish = (): void => undefined;
    pool.onEvict = () =>
      new Promise((resolve) => {
        finish = () => {
          resolve(pool.free(370));
        };
      });
    broker.register(pool);
    const { done } = await broker.relieve();
    await clock.advance(0);
    broker.register(pool, { target: 0.5 });
    expect((await broker.relieve()).decisions).toEqual([
      { name: "docker", action: "none", reason: "evicting" },
    ]);
    expect(pool.requests).toHaveLength(1);
    finish();
    await done;
    pool.usedBytes = 970;
    pool.onEvict = null;
    expect(await round()).toMatchObject([{ wantBytes: 470, freedBytes: 470 }]);
  });

  it("rounds that overlap share their readings and start each eviction once", async () => {
    const pool = new FakePool("docker", size(970));
    const onRead = vi.spyOn(pool, "read");
    broker.register(pool);
    const rounds = await Promise.all([broker.relieve(), broker.relieve()]);
    await Promise.all(rounds.map(({ done }) => done));
    expect(pool.requests).toHaveLength(1);
    // One for both rounds, one before and one after the eviction.
    expect(onRead).toHaveBeenCalledTimes(3);
    expect(broker.snapshot()).toMatchObject({ evictionsFired: 1, bytesFreedTotal: 370 });
  });

  it("a pool that grew during its eviction has freed nothing, not less than nothing", async () => {
    const pool = new FakePool("docker", size(900));
    pool.onEvict = () => Promise.resolve(pool.free(-50));
    broker.register(pool);
    expect(await round()).toMatchObject([{ freedBytes: 0, measured: true, after: { usedBytes: 950 } }]);
    expect(broker.snapshot().bytesFreedTotal).toBe(0);
  });
});
