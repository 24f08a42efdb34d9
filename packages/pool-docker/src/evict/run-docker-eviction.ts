import { type Clock, type EvictedItem, type EvictionResult, PoolError } from "@continuum/broker-core";
import { formatBytes } from "@continuum/wire-types";
import type { DockerLog } from "../docker-log.js";
import type { EngineClient } from "../engine/engine-client.js";
import { type BuildCacheStage, evictBuildCache, reclaimable } from "./evict-build-cache.js";
import { evictImages } from "./evict-images.js";
import type { Inventory } from "./inventory.js";
import { type ImagePlan, type ImagePolicy, planImages } from "./plan-images.js";
import { ReliefGoal, type ReliefGoalOptions } from "./relief-goal.js";

/** What an eviction works with. */
export interface DockerEviction extends ReliefGoalOptions {
  readonly engine: EngineClient;
  readonly log: DockerLog;
  readonly clock: Clock;
  readonly policy: ImagePolicy;
  readonly conflictRetryMs: number;
  readonly takeInventory: (signal: AbortSignal) => Promise<Inventory>;
  /** Told of the plan once it is made. */
  readonly onPlan: (plan: ImagePlan) => void;
}

/**
 * Frees at least `wantBytes` if that can be done safely, and little more: build cache first, then dangling images,
 * then unused images, oldest first, measuring after each. Containers and volumes are never touched.
 *
 * Throws a PoolError when nothing could even be begun; what fails later ends it with a shortfall that says so.
 */
export async function runDockerEviction(
  eviction: DockerEviction,
  wantBytes: number,
  signal: AbortSignal,
): Promise<EvictionResult> {
  const { engine, clock, log, policy } = eviction;
  const goal = await ReliefGoal.begin(eviction, wantBytes);
  const deleted: EvictedItem[] = [];
  const notes: string[] = [];
  const onDeleted = (item: EvictedItem): void => void deleted.push(item);
  const stage: BuildCacheStage = { ...eviction, minAgeMs: policy.minAgeMs, onDeleted };
  let isShared = false;
  const cacheStage = async (): Promise<void> => {
    try {
      isShared = await evictBuildCache(stage, goal, signal);
    } catch (error) {
      if (!(error instanceof PoolError) || error.code === "unreachable") throw error;
      isShared = false;
      notes.push(`build cache was skipped: ${error.message}`);
      log.warn({ err: error }, `build cache was skipped: ${error.message}`);
    }
  };
  let plan: ImagePlan | null = null;
  try {
    await cacheStage();
    if (goal.remainingBytes > 0 && !signal.aborted) {
      plan = planImages(await eviction.takeInventory(signal), policy, clock.nowMs());
      eviction.onPlan(plan);
      const imageStage = {
        engine,
        clock,
        log,
        policy,
        // Layers that build cache shares are freed only when it is pruned as well.
        onLittleYield: () => (isShared ? cacheStage() : Promise.resolve()),
        onDeleted,
      };
      await evictImages(imageStage, plan.candidates, goal, signal);
    }
  } catch (error) {
    if (!(error instanceof PoolError) || (deleted.length === 0 && error.code !== "aborted")) throw error;
    notes.push(error.message);
  }
  return {
    claimedBytes: goal.claimedBytes,
    deleted,
    wouldDelete: [],
    dryRun: false,
    shortfall: toShortfall(goal, plan, notes, signal),
  };
}

/** What an eviction would delete for `wantBytes`, by the same plan; deletes nothing. */
export async function planDockerEviction(
  eviction: Omit<DockerEviction, keyof ReliefGoalOptions> & { readonly clock: Clock },
  wantBytes: number,
  signal: AbortSignal,
): Promise<EvictionResult> {
  const { engine, clock, policy, log } = eviction;
  const wouldDelete: EvictedItem[] = [];
  let remainingBytes = wantBytes;
  try {
    const records = reclaimable(await engine.buildCache(signal), policy.minAgeMs, clock.nowMs());
    const expectedBytes = Math.min(
      remainingBytes,
      records.reduce((sum, { Size }) => sum + Size, 0),
    );
    if (expectedBytes > 0) {
      const reason = `up to ${records.length} records, least recently used first`;
      wouldDelete.push({ key: "build-cache", kind: "build cache", expectedBytes, reason });
      remainingBytes -= expectedBytes;
    }
  } catch (error) {
    if (!(error instanceof PoolError) || error.code === "unreachable" || error.code === "aborted")
      throw error;
    log.warn({ err: error }, `build cache isn't known: ${error.message}`);
  }
  if (remainingBytes > 0) {
    const plan = planImages(await eviction.takeInventory(signal), policy, clock.nowMs());
    eviction.onPlan(plan);
    for (const { key, kind, expectedBytes, reason } of plan.candidates) {
      if (remainingBytes <= 0) break;
      wouldDelete.push({ key, kind, expectedBytes, reason });
      remainingBytes -= expectedBytes;
    }
  }
  return {
    claimedBytes: 0,
    deleted: [],
    wouldDelete,
    dryRun: true,
    shortfall:
      "eviction is off: nothing was deleted; switch it on with --evict conservative (only what a registry has) or --evict standard",
  };
}

function toShortfall(
  goal: ReliefGoal,
  plan: ImagePlan | null,
  notes: readonly string[],
  signal: AbortSignal,
): string | null {
  if (goal.remainingBytes === 0) return null;
  const said = [...notes];
  if (signal.aborted) said.push("the eviction was ended early");
  else if (plan !== null) {
    const counts = new Map<string, number>();
    for (const { reason } of plan.protectedImages) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const kept = [...counts].map(([reason, count]) => `${count} because ${reason}`).join(", ");
    said.push(
      `nothing more may be deleted (${plan.protectedImages.length} images stay${kept === "" ? "" : `: ${kept}`}); containers and volumes are never touched`,
    );
  }
  return `${formatBytes(goal.remainingBytes)} short: ${said.join("; ")}`;
}
