import { type Clock, type EvictedItem, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { EngineClient } from "../engine/engine-client.js";
import type { BuildCacheRecord, BuildPruneResult } from "../engine/engine-replies.js";
import type { ReliefGoal } from "./relief-goal.js";

/** Rounds of one stage: each asks for what the one before didn't bring. */
const MAX_ROUNDS = 4;
const CONFLICT_RETRIES = 3;

/** What the stage works with. */
export interface BuildCacheStage {
  readonly engine: Pick<EngineClient, "buildCache" | "buildPrune">;
  readonly clock: Clock;
  readonly log: DockerLog;
  readonly minAgeMs: number;
  readonly conflictRetryMs: number;
  /** Told of each prune as it happens. */
  readonly onDeleted: (item: EvictedItem) => void;
}

/** Records that a prune may delete and that would free something now. */
export function reclaimable(
  records: readonly BuildCacheRecord[],
  minAgeMs: number,
  nowMs: number,
): readonly BuildCacheRecord[] {
  return records.filter(({ InUse, Shared, Size, LastUsedAt, CreatedAt }) => {
    const usedAtMs = LastUsedAt ?? CreatedAt;
    const isOld = minAgeMs === 0 || (usedAtMs !== null && nowMs - usedAtMs >= minAgeMs);
    return !InUse && !Shared && Size > 0 && isOld;
  });
}

/**
 * How much cache the engine is told to keep. It counts what images don't share, and deletes the least recently used
 * record by record until no more than this is left. Never 0, which would mean: all, the shared ones too.
 */
export function toKeepBytes(records: readonly BuildCacheRecord[], remainingBytes: number): number {
  const totalBytes = records.reduce((sum, { Shared, Size }) => sum + (Shared ? 0 : Size), 0);
  return Math.max(1, totalBytes - remainingBytes);
}

/**
 * Prunes as much build cache as is still wanted, in rounds, as long as they yield. Gives whether there is cache left
 * whose space images share: deleting such an image frees nothing before its cache is pruned too.
 */
export async function evictBuildCache(
  stage: BuildCacheStage,
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<boolean> {
  const { engine, clock, log, minAgeMs } = stage;
  let isSharedWithImages = false;
  for (let round = 0; round < MAX_ROUNDS && goal.remainingBytes > 0 && !signal.aborted; round++) {
    const records = await engine.buildCache(signal);
    isSharedWithImages = records.some(({ Shared, Size }) => Shared && Size > 0);
    if (reclaimable(records, minAgeMs, clock.nowMs()).length === 0) break;
    const keepBytes = toKeepBytes(records, goal.remainingBytes);
    const pruned = await prune(stage, keepBytes, signal);
    if (pruned === null || pruned.CachesDeleted.length === 0) break;
    const { CachesDeleted } = pruned;
    // Not what the engine says it reclaimed: that counts what images still hold.
    const gone = new Set(CachesDeleted);
    const expectedBytes = records.reduce(
      (sum, { ID, Shared, Size }) => sum + (gone.has(ID) && !Shared ? Size : 0),
      0,
    );
    const reason = `${CachesDeleted.length} records, least recently used first`;
    stage.onDeleted({
      key: `build-cache:${CachesDeleted[0] ?? ""}`,
      kind: "build cache",
      expectedBytes,
      reason,
    });
    const freedBytes = await goal.after(expectedBytes);
    log.info({ kind: "build cache", expectedBytes, freedBytes, keepBytes }, `pruned build cache: ${reason}`);
    if (freedBytes <= 0) break;
  }
  return isSharedWithImages;
}

/** Prunes; null when other prunes are in the way again and again. */
async function prune(
  { engine, clock, log, minAgeMs, conflictRetryMs }: BuildCacheStage,
  keepBytes: number,
  signal: AbortSignal,
): Promise<BuildPruneResult | null> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await engine.buildPrune({ keepBytes, unusedForMs: minAgeMs }, signal);
    } catch (error) {
      if (!(error instanceof PoolError && error.code === "conflict")) throw error;
      log.debug({ err: error }, "another prune of build cache is running");
      if (attempt >= CONFLICT_RETRIES) return null;
      await new Promise<void>((resolve) => clock.setTimeout(resolve, conflictRetryMs));
      if (signal.aborted) return null;
    }
  }
}
