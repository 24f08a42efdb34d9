import { type Clock, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { UseHistory } from "../journal/image-use.js";
import type { DockerInventory } from "../plan/docker-inventory.js";
import type { EvictionPlan, PlanEntry } from "../plan/eviction-plan.js";
import type { EvictionPolicy } from "../plan/eviction-policy.js";
import { planEviction } from "../plan/plan-eviction.js";
import type { EntryOutcome } from "./entry-outcome.js";
import type { EvictionRecord } from "./eviction-record.js";
import { executePlan } from "./execute-plan.js";
import {
  deleteOnFullDisk,
  deleteQuarantined,
  quarantineImage,
  releaseImage,
  type TaggingEngine,
} from "./quarantine.js";
import type { InventoryEngine } from "./inventory-taker.js";
import { type RecheckingEngine, recheckEntry, recheckQuarantined } from "./recheck-entry.js";
import { ReferenceWatch, type WatchedEngine } from "./reference-watch.js";
import { ReliefGoal, type ReliefGoalOptions, type WantedRelief } from "./relief-goal.js";
import { removeEntries, type RemovingEngine } from "./remove-entries.js";
import { restoreImage, type RestoringEngine } from "./restore-image.js";
import { toShortfall } from "./say-eviction.js";

/** How long a run may take from finding its image to being seen by others. */
const SETTLE_USES_MS = 1_000;

/** Rounds of one eviction: each plans anew with what the ones before left. */
const MAX_ROUNDS = 32;

/** Everything that an eviction asks of an engine. */
export type EvictingEngine = Pick<InventoryEngine, "images"> &
  WatchedEngine &
  RecheckingEngine &
  RemovingEngine &
  RestoringEngine &
  TaggingEngine;

/** What an eviction works with. */
export interface EvictionRun extends ReliefGoalOptions {
  readonly engine: EvictingEngine;
  readonly clock: Clock;
  readonly log: DockerLog;
  readonly policy: EvictionPolicy;
  readonly record: EvictionRecord;
  readonly uses: () => UseHistory;
  readonly digestsAreFromRegistries: boolean;
  readonly takeInventory: (signal: AbortSignal) => Promise<DockerInventory>;
  /** What is deleted at most, in this order; null: what each round plans. */
  readonly plan: EvictionPlan | null;
  readonly onPlan: (plan: EvictionPlan) => void;
  readonly onOutcome: (outcome: EntryOutcome) => void;
}

/** How an eviction ended. */
export interface EvictionEnd {
  readonly claimedBytes: number;
  readonly measuredBytes: number;
  /** Why less than wanted was freed, in a sentence; null when all was. */
  readonly shortfall: string | null;
}

/**
 * Frees at least what is wanted if that can be done safely, and little more. Throws a PoolError when nothing could even
 * be begun; what fails later ends it with a shortfall that says so.
 */
export async function runEviction(
  run: EvictionRun,
  wanted: WantedRelief,
  signal: AbortSignal,
): Promise<EvictionEnd> {
  const { engine, clock, log, record } = run;
  const goal = await ReliefGoal.begin(run, wanted);
  const startedAtMs = clock.monotonicMs();
  const began = clock.nowMs();
  const watch = await ReferenceWatch.begin(engine, clock, log);
  const settled = new Map<string, EntryOutcome>();
  const notes: string[] = [];
  let plan = run.plan;
  try {
    for (let round = 0; round < MAX_ROUNDS && !goal.isReached && !signal.aborted; round++) {
      let hasSharedCache = false;
      if (run.plan === null) {
        const inventory = await run.takeInventory(signal);
        hasSharedCache =
          inventory.buildCache?.some(({ shared, sizeBytes }) => shared && sizeBytes > 0) ?? false;
        // In inodes nobody can say what an image frees: the whole order, until the measurement says enough.
        const wantBytes = goal.remainingInodes > 0 ? Number.MAX_SAFE_INTEGER : goal.remainingBytes;
        const exclude = toExcluded(inventory, settled, began);
        const stock = goal.remainingInodes > 0 ? withFilesCounted(inventory) : inventory;
        plan = planEviction(stock, run.uses(), run.policy, { wantBytes, nowMs: clock.nowMs(), exclude });
        run.onPlan(plan);
      }
      const entries = plan?.entries ?? [];
      if (entries.length === 0) break;
      const end = await executePlan(
        {
          clock,
          record,
          watch,
          startedAtMs,
          settleUsesMs: SETTLE_USES_MS,
          acts: {
            recheck: (entry, each) => recheckEntry(engine, run, entry, each),
            quarantine: ({ image }, each) => quarantineImage(engine, image, each),
            recheckQuarantined: ({ image }, each) => recheckQuarantined(engine, run, image, each),
            release: ({ image }) => releaseImage(engine, image),
            removeOnFullDisk: ({ image }, each) => deleteOnFullDisk(engine, image, each),
            removeImage: ({ image }, each) => deleteQuarantined(engine, image, each),
            remove: (each, inner) => removeEntries(engine, each, inner),
          },
          restore: (image) => restoreImage(engine, image),
          onOutcome: (outcome) => {
            if (!outcome.isPostponed) settled.set(outcome.entry.id, outcome);
            run.onOutcome(outcome);
          },
          // Layers that build cache shares are freed only when it is pruned as well: the next round knows.
          stopsOnLittleYield: hasSharedCache,
        },
        entries,
        goal,
        signal,
      );
      if (end !== "littleYield" && (run.plan !== null || !madeProgress(entries, settled))) break;
    }
  } catch (error) {
    const didDelete = [...settled.values()].some(({ outcome }) => outcome === "deleted");
    if (!(error instanceof PoolError) || (!didDelete && error.code !== "aborted")) throw error;
    notes.push(error.message);
  } finally {
    await watch.close();
  }
  return {
    claimedBytes: goal.claimedBytes,
    measuredBytes: goal.measuredBytes,
    shortfall: toShortfall(goal, plan, notes, signal.aborted),
  };
}

/** What a later round leaves alone: what was tried already, and what came while the eviction ran. */
function toExcluded(
  { images }: DockerInventory,
  settled: ReadonlyMap<string, EntryOutcome>,
  beganAtMs: number,
): ReadonlySet<string> {
  const late = images.filter(
    ({ arrivedAtMs, taggedAtMs }) => Math.max(arrivedAtMs ?? 0, taggedAtMs ?? 0) > beganAtMs,
  );
  return new Set([...settled.keys(), ...late.map(({ id }) => id)]);
}

/** Where inodes run out, a layer without a byte frees some as well: each counts for something. */
function withFilesCounted(inventory: DockerInventory): DockerInventory {
  const images = inventory.images.map((image) => ({
    ...image,
    layerBytes: image.layerBytes?.map((bytes) => bytes + 1) ?? null,
    sizeBytes: image.sizeBytes + Math.max(1, image.layers.length),
  }));
  return { ...inventory, images };
}

function madeProgress(entries: readonly PlanEntry[], settled: ReadonlyMap<string, EntryOutcome>): boolean {
  return entries.some(({ id }) => settled.has(id));
}
