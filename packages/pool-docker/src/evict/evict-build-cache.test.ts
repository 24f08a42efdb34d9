import { type Clock, PoolError, systemClock } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import { silentLog } from "../docker-log.js";
import type { BuildCacheRecord } from "../engine/engine-replies.js";
import { evictBuildCache, reclaimable, toKeepBytes } from "./evict-build-cache.js";
import { ReliefGoal } from "./relief-goal.js";

const never = new AbortController().signal;

function record(ID: string, given: Partial<BuildCacheRecord> = {}): BuildCacheRecord {
  return { ID, InUse: false, Shared: false, Size: 100, CreatedAt: 1, LastUsedAt: 1_000, ...given };
}

/** Waiting takes no time; the delays that were asked for are kept. */
function impatientClock(delays: number[]): Clock {
  const setTimeout: Clock["setTimeout"] = (run, delayMs) => {
    delays.push(delayMs);
    queueMicrotask(run);
    return () => undefined;
  };
  return { ...systemClock, setTimeout };
}

async function run(prune: () => Promise<readonly string[]>, wantBytes: number) {
  const delays: number[] = [];
  const clock = impatientClock(delays);
  let records = [record("a"), record("b", { Shared: true }), record("c")];
  let prunes = 0;
  const engine = {
    buildCache: () => Promise.resolve(records),
    buildPrune: async () => {
      prunes++;
      const CachesDeleted = [...(await prune())];
      records = records.filter(({ ID }) => !CachesDeleted.includes(ID));
      return { CachesDeleted, SpaceReclaimed: 9_999 };
    },
  };
  const usedBytes = () => records.reduce((sum, { Size }) => sum + Size, 0);
  const figures = { allocatedBytes: 1_000, capacityBytes: 1_000, atMs: 0, path: "/", stale: false };
  const measure = () =>
    Promise.resolve({ kind: "detected", source: "engineRoot", usedBytes: usedBytes(), ...figures } as const);
  const goal = await ReliefGoal.begin({ measure, clock, settleMs: 150 }, wantBytes);
  const deleted: (number | null)[] = [];
  const stage = {
    engine,
    clock,
    log: silentLog,
    minAgeMs: 0,
    conflictRetryMs: 1_000,
    onDeleted: ({ expectedBytes }: { expectedBytes: number | null }) => void deleted.push(expectedBytes),
  };
  const isShared = await evictBuildCache(stage, goal, never);
  return { deleted, isShared, prunes, delays, goal };
}

describe("evictBuildCache", () => {
  it("asks again for what is still wanted, and claims nothing that images still hold", async () => {
    const gone = [["a", "b"], ["c"]];
    const { deleted, isShared, goal } = await run(() => Promise.resolve(gone.shift() ?? []), 250);
    expect(deleted).toEqual([100, 100]);
    expect(goal.remainingBytes).toBe(0);
    expect(isShared).toBe(false);
  });

  it("waits for another prune to end, a few times only", async () => {
    const refuse = () => Promise.reject(new PoolError("conflict", "a prune operation is already running"));
    const { deleted, prunes, delays, isShared } = await run(refuse, 100);
    expect({ deleted, prunes, delays, isShared }).toEqual({
      deleted: [],
      prunes: 4,
      delays: [1_000, 1_000, 1_000],
      isShared: true,
    });
  });

  it("stops when a prune brings nothing", async () => {
    expect((await run(() => Promise.resolve([]), 100)).prunes).toBe(1);
  });
});

describe("toKeepBytes", () => {
  it("counts what images don't share, and is never 0, which would mean everything", () => {
    const records = [record("a"), record("b"), record("c", { Shared: true, Size: 9_999 })];
    expect(toKeepBytes(records, 50)).toBe(150);
    expect(toKeepBytes(records, 200)).toBe(1);
    expect(toKeepBytes(records, 5_000)).toBe(1);
  });
});

describe("reclaimable", () => {
  it("leaves out what is in use, shared, young, or of unknown age", () => {
    const records = [
      record("old"),
      record("used", { InUse: true }),
      record("shared", { Shared: true }),
      record("young", { LastUsedAt: 9_500 }),
      record("unknown", { LastUsedAt: null, CreatedAt: null }),
    ];
    expect(reclaimable(records, 1_000, 10_000).map(({ ID }) => ID)).toEqual(["old"]);
    expect(reclaimable(records, 0, 10_000).map(({ ID }) => ID)).toEqual(["old", "young", "unknown"]);
  });
});
