import { PoolError } from "@continuum/broker-core";
import type { PlanEntry } from "../plan/eviction-plan.js";
import { type BatchContext, evictImages, evictOthers, MAX_FAILURES } from "./evict-batch.js";
import type { ReliefGoal } from "./relief-goal.js";
import type { LostImage, RestoredImage } from "./restore-image.js";

/** Records of build cache that go with one request: few enough to stop in time, many enough to be quick. */
const MAX_CACHE_RECORDS = 64;
/** Images that lose their names together, and wait together. */
const MAX_IMAGES = 8;

/** What executing a plan works with. */
export interface PlanExecution extends BatchContext {
  /** Brings back an image that somebody took hold of while it was being deleted. */
  readonly restore: (image: LostImage) => Promise<RestoredImage>;
}

/** Why an execution ended before its last entry; `done` when it didn't. */
export type ExecutionEnd = "done" | "reached" | "aborted" | "littleYield";

/**
 * Deletes the entries of a plan in their order, each looked at again right before, and measures after each, until the
 * goal is reached. Something that is in use after all, or gone already, is passed over. Rejects with a PoolError when
 * the engine fails again and again, or can't be reached.
 */
export async function executePlan(
  execution: PlanExecution,
  entries: readonly PlanEntry[],
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<ExecutionEnd> {
  const deleted: { readonly entry: PlanEntry; readonly sinceMs: number }[] = [];
  let failures = 0;
  let next = 0;
  // Asked each time: it changes with every measurement.
  const isReached = (): boolean => goal.isReached;
  if (isReached()) return "reached";
  try {
    while (next < entries.length) {
      if (signal.aborted) return "aborted";
      const batch = toBatch(entries, next, goal);
      next += batch.length;
      const sinceMs = execution.clock.monotonicMs();
      const images = batch.filter((entry) => entry.kind === "image");
      const result =
        images.length > 0
          ? await evictImages(execution, images, goal, signal)
          : await evictOthers(execution, batch, goal, signal);
      for (const entry of result.deleted) deleted.push({ entry, sinceMs });
      if (result.deleted.length > 0) failures = 0;
      for (const error of result.errors) {
        const isEnginesOwn = error.code === "failed" || error.code === "noSpace";
        if (!isEnginesOwn || ++failures >= MAX_FAILURES) throw error;
      }
      await healTouched(execution, deleted);
      if (isReached()) return "reached";
      if (result.isLittle && execution.stopsOnLittleYield) return "littleYield";
    }
    return signal.aborted ? "aborted" : "done";
  } finally {
    // What was heard of only after the deletion.
    await healTouched(execution, deleted);
  }
}

/** Records of build cache go together, and images, no more of them than are needed; containers one by one. */
function toBatch(entries: readonly PlanEntry[], from: number, goal: ReliefGoal): readonly PlanEntry[] {
  const kind = entries[from]?.kind;
  const most = kind === "buildCache" ? MAX_CACHE_RECORDS : kind === "image" ? MAX_IMAGES : 1;
  const batch: PlanEntry[] = [];
  let expectedBytes = 0;
  for (const entry of entries.slice(from, from + most)) {
    if (entry.kind !== kind) break;
    batch.push(entry);
    expectedBytes += entry.expectedBytes;
    if (expectedBytes >= goal.remainingBytes && goal.remainingInodes === 0) break;
  }
  return batch;
}

/** A pull or a run that began before a deletion and ended after it gets its image back. */
async function healTouched(
  { watch, record, restore }: PlanExecution,
  deleted: { readonly entry: PlanEntry; readonly sinceMs: number }[],
): Promise<void> {
  for (let i = deleted.length - 1; i >= 0; i--) {
    const { entry, sinceMs } = deleted[i] ?? {};
    if (entry?.kind !== "image" || sinceMs === undefined) continue;
    const name = watch.touchedSince(entry.image, sinceMs);
    if (name === null) continue;
    deleted.splice(i, 1);
    const { id, restoreReference, image } = entry;
    const why = `${name} came into use while it was being deleted`;
    try {
      const { outcome, detail } = await restore({ id, references: image.tags, restoreReference });
      const isBack = outcome === "restored" || outcome === "present";
      record.write(entry, {
        outcome: isBack ? "restored" : "failed",
        detail: detail === null ? why : `${why}; ${detail}`,
        measuredBytes: null,
      });
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      record.write(entry, { outcome: "failed", detail: `${why}; ${error.message}`, measuredBytes: null });
    }
  }
}
