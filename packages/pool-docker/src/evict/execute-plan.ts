import { type Clock, PoolError } from "@continuum/broker-core";
import type { PlanEntry } from "../plan/eviction-plan.js";
import type { EntryOutcome } from "./entry-outcome.js";
import type { EvictionRecord } from "./eviction-record.js";
import type { ReferenceWatch } from "./reference-watch.js";
import type { ReliefGoal } from "./relief-goal.js";
import { type LostImage, type RestoredImage } from "./restore-image.js";
import { withGrace } from "./with-grace.js";

/** Failures in a row after which the engine is left alone. */
const MAX_FAILURES = 3;

/** How long an eviction that is to end waits for a deletion that the engine has begun; a stop promises 2 s. */
const DELETION_GRACE_MS = 700;

/** Records of build cache that go with one request: few enough to stop in time, many enough to be quick. */
const MAX_CACHE_RECORDS = 64;

/** What executing a plan works with. */
export interface PlanExecution {
  readonly clock: Clock;
  readonly record: EvictionRecord;
  readonly watch: ReferenceWatch;
  /** When the eviction began, by the monotonic clock: what was taken hold of since then stays. */
  readonly startedAtMs: number;
  /** Looks at an entry as it is now; gives what speaks against deleting it, null when nothing does. */
  readonly recheck: (entry: PlanEntry, signal: AbortSignal) => Promise<string | null>;
  /**
   * Deletes one image or container, or several records of build cache; gives the ids that are gone. Throws a PoolError
   * `conflict` when it is in use, `notFound` when it is gone already.
   */
  readonly remove: (entries: readonly PlanEntry[], signal: AbortSignal) => Promise<ReadonlySet<string>>;
  /** Brings back an image that somebody took hold of while it was being deleted. */
  readonly restore: (image: LostImage) => Promise<RestoredImage>;
  readonly onOutcome: (outcome: EntryOutcome) => void;
  /** Whether to give up the rest of the plan after a deletion that freed less than half of what was expected. */
  readonly stopsOnLittleYield: boolean;
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
  let end: ExecutionEnd = "done";
  try {
    while (next < entries.length) {
      if (goal.isReached) return (end = "reached");
      if (signal.aborted) return (end = "aborted");
      const batch = toBatch(entries, next, goal);
      next += batch.length;
      const sinceMs = execution.clock.monotonicMs();
      const step = await runStep(execution, batch, goal, signal);
      if (step.deletedEntries.length > 0) {
        failures = 0;
        for (const entry of step.deletedEntries) deleted.push({ entry, sinceMs });
      }
      if (step.error !== null && (!isEnginesOwn(step.error) || ++failures >= MAX_FAILURES)) throw step.error;
      await healTouched(execution, deleted);
      if (step.isLittle && execution.stopsOnLittleYield && !goal.isReached) return (end = "littleYield");
    }
    return end;
  } finally {
    // What was heard of only after the deletion.
    await healTouched(execution, deleted);
  }
}

/** Records of build cache go together, as many as are needed; all else goes one by one. */
function toBatch(entries: readonly PlanEntry[], from: number, goal: ReliefGoal): readonly PlanEntry[] {
  const batch: PlanEntry[] = [];
  let expectedBytes = 0;
  for (let i = from; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || (i > from && entry.kind !== "buildCache")) break;
    batch.push(entry);
    expectedBytes += entry.expectedBytes;
    const isEnough = expectedBytes >= goal.remainingBytes && goal.remainingInodes === 0;
    if (entry.kind !== "buildCache" || isEnough || batch.length >= MAX_CACHE_RECORDS) break;
  }
  return batch;
}

interface Step {
  readonly deletedEntries: readonly PlanEntry[];
  /** Freed less than half of what was expected. */
  readonly isLittle: boolean;
  readonly error: PoolError | null;
}

async function runStep(
  execution: PlanExecution,
  batch: readonly PlanEntry[],
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<Step> {
  const { record, onOutcome } = execution;
  const settle = (
    entry: PlanEntry,
    outcome: EntryOutcome["outcome"],
    detail: string | null,
    measuredBytes: number | null,
  ): void => {
    record.write(entry, { outcome, detail, measuredBytes });
    onOutcome({ entry, outcome, detail, measuredBytes });
  };
  const none: Step = { deletedEntries: [], isLittle: false, error: null };
  const due: PlanEntry[] = [];
  for (const entry of batch) {
    try {
      const objection = objectionByWatch(execution, entry) ?? (await execution.recheck(entry, signal));
      if (objection === null) due.push(entry);
      else settle(entry, "kept", objection, null);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      if (error.code === "aborted") return none;
      const isGone = error.code === "notFound";
      settle(entry, isGone ? "kept" : "failed", isGone ? "it is gone already" : error.message, null);
      if (!isGone) return { ...none, error };
    }
  }
  if (due.length === 0 || signal.aborted) return none;
  for (const entry of due) record.write(entry, { outcome: "intended", detail: null, measuredBytes: null });
  let gone: ReadonlySet<string>;
  try {
    gone = await withGrace(signal, execution.clock, DELETION_GRACE_MS, (each) => execution.remove(due, each));
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    const isNormal = error.code === "conflict" || error.code === "notFound";
    const wasCutOff = error.code === "aborted" || error.code === "timeout";
    const detail = wasCutOff
      ? `its answer wasn't waited for, it may be gone: ${error.message}`
      : error.message;
    for (const entry of due) settle(entry, isNormal ? "kept" : "failed", detail, null);
    return isNormal ? none : { ...none, error };
  }
  const deletedEntries = due.filter(({ id }) => gone.has(id));
  const expectedBytes = deletedEntries.reduce((sum, each) => sum + each.expectedBytes, 0);
  for (const entry of due) if (!gone.has(entry.id)) settle(entry, "kept", "the engine left it", null);
  if (deletedEntries.length === 0) return none;
  let measuredBytes: number | null = null;
  try {
    measuredBytes = await goal.after(expectedBytes);
  } finally {
    // What went is written down even when the disk can't be measured any more.
    const [first] = deletedEntries;
    for (const entry of deletedEntries) {
      const detail = entry === first ? null : `measured together with ${first?.id ?? ""}`;
      settle(entry, "deleted", detail, entry === first ? measuredBytes : null);
    }
  }
  return { deletedEntries, isLittle: (measuredBytes ?? 0) < expectedBytes / 2, error: null };
}

function objectionByWatch({ watch, startedAtMs }: PlanExecution, entry: PlanEntry): string | null {
  const name = entry.kind === "image" ? watch.touchedSince(entry.image, startedAtMs) : null;
  return name === null ? null : `${name} came into use while the eviction ran`;
}

function isEnginesOwn({ code }: PoolError): boolean {
  return code === "failed" || code === "noSpace";
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
