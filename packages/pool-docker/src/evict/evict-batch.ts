import { type Clock, PoolError } from "@continuum/broker-core";
import type { PlanEntry } from "../plan/eviction-plan.js";
import type { EntryOutcome } from "./entry-outcome.js";
import type { EvictionRecord } from "./eviction-record.js";
import type { ReferenceWatch } from "./reference-watch.js";
import type { ReliefGoal } from "./relief-goal.js";
import { withGrace } from "./with-grace.js";

type ImageEntry = Extract<PlanEntry, { kind: "image" }>;

/** Failures in a row after which the engine is left alone. */
export const MAX_FAILURES = 3;

/** How long an eviction that is to end waits for a deletion that the engine has begun; a stop promises 2 s. */
const DELETION_GRACE_MS = 700;

/** What is done to the things of a plan. Throws PoolErrors. */
export interface EvictionActs {
  /** Looks at an entry as it is now; gives what speaks against deleting it, null when nothing does. */
  recheck(entry: PlanEntry, signal: AbortSignal): Promise<string | null>;
  /** Takes an image's names away, so that nobody begins to use it. */
  quarantine(entry: ImageEntry, signal: AbortSignal): Promise<void>;
  /** As `recheck`, of an image in quarantine. */
  recheckQuarantined(entry: ImageEntry, signal: AbortSignal): Promise<string | null>;
  /** Gives an image its names back; gives those that it couldn't. */
  release(entry: ImageEntry): Promise<readonly string[]>;
  /** Deletes an image as it is, on a disk where nothing more can be written. */
  removeOnFullDisk(entry: ImageEntry, signal: AbortSignal): Promise<void>;
  /** Deletes an image in quarantine: `conflict` when it is in use, `notFound` when it is gone already. */
  removeImage(entry: ImageEntry, signal: AbortSignal): Promise<void>;
  /** Deletes a container, or records of build cache; gives the ids that are gone. */
  remove(entries: readonly PlanEntry[], signal: AbortSignal): Promise<ReadonlySet<string>>;
}

/** What a batch of deletions works with. */
export interface BatchContext {
  readonly clock: Clock;
  readonly record: EvictionRecord;
  readonly watch: Pick<ReferenceWatch, "touchedSince">;
  /** When the eviction began, by the monotonic clock: what was taken hold of since then stays. */
  readonly startedAtMs: number;
  /** How long a run that has found its image may take to be seen. */
  readonly settleUsesMs: number;
  readonly acts: EvictionActs;
  readonly onOutcome: (outcome: EntryOutcome) => void;
  /** Whether to give up the rest of the plan after a deletion that freed less than half of what was expected. */
  readonly stopsOnLittleYield: boolean;
}

/** What a batch came to. */
export interface BatchResult {
  readonly deleted: readonly PlanEntry[];
  /** One of them freed less than half of what was expected. */
  readonly isLittle: boolean;
  /** Failures of the engine's, in order. */
  readonly errors: readonly PoolError[];
}

/** Deletes some images: names first, then a moment to see who had found them, then one after the other, measured. */
export async function evictImages(
  context: BatchContext,
  entries: readonly ImageEntry[],
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<BatchResult> {
  const { acts, clock, record } = context;
  const errors: PoolError[] = [];
  const hidden: ImageEntry[] = [];
  // Images whose names can't be taken, since the disk is full to the last byte.
  const named = new Set<ImageEntry>();
  for (const entry of await stillDue(context, entries, errors, signal)) {
    if (signal.aborted) break;
    record.write(entry, { outcome: "intended", detail: null, measuredBytes: null });
    try {
      await acts.quarantine(entry, signal);
      hidden.push(entry);
    } catch (error) {
      if (error instanceof PoolError && error.code === "noSpace") {
        hidden.push(entry);
        named.add(entry);
        continue;
      }
      errors.push(...settleFailure(context, entry, error));
    }
  }
  if (hidden.length > named.size) await sleep(clock, context.settleUsesMs, signal);
  const deleted: ImageEntry[] = [];
  let isLittle = false;
  for (const entry of hidden) {
    const postponed = reasonToStop(context, { signal, goal, isLittle, errors });
    const isNamed = named.has(entry);
    const why = postponed ?? (await objectionTo(context, entry, { isNamed, errors, signal }));
    if (why !== null) {
      const missing = await acts.release(entry);
      const detail = missing.length === 0 ? why : `${why}; names not given back: ${missing.join(", ")}`;
      settle(context, entry, "kept", detail, null, postponed !== null);
      continue;
    }
    try {
      await withGrace(signal, clock, DELETION_GRACE_MS, (each) =>
        isNamed ? acts.removeOnFullDisk(entry, each) : acts.removeImage(entry, each),
      );
    } catch (error) {
      const missing = await acts.release(entry);
      errors.push(...settleFailure(context, entry, error, missing));
      continue;
    }
    deleted.push(entry);
    const measuredBytes = await measure(context, [entry], goal);
    isLittle ||= measuredBytes < entry.expectedBytes / 2;
  }
  return { deleted, isLittle, errors };
}

/** Deletes a container, or some records of build cache at once. */
export async function evictOthers(
  context: BatchContext,
  entries: readonly PlanEntry[],
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<BatchResult> {
  const { acts, clock, record } = context;
  const errors: PoolError[] = [];
  const due = await stillDue(context, entries, errors, signal);
  if (due.length === 0 || signal.aborted) return { deleted: [], isLittle: false, errors };
  for (const entry of due) record.write(entry, { outcome: "intended", detail: null, measuredBytes: null });
  let gone: ReadonlySet<string>;
  try {
    gone = await withGrace(signal, clock, DELETION_GRACE_MS, (each) => acts.remove(due, each));
  } catch (error) {
    for (const entry of due) settleFailure(context, entry, error);
    return { deleted: [], isLittle: false, errors: [...errors, ...toEnginesErrors(error)] };
  }
  const deleted = due.filter(({ id }) => gone.has(id));
  for (const entry of due)
    if (!gone.has(entry.id)) settle(context, entry, "kept", "the engine left it", null);
  if (deleted.length === 0) return { deleted, isLittle: false, errors };
  const expectedBytes = deleted.reduce((sum, each) => sum + each.expectedBytes, 0);
  const measuredBytes = await measure(context, deleted, goal);
  return { deleted, isLittle: measuredBytes < expectedBytes / 2, errors };
}

/** Those of some entries that nothing speaks against now. */
async function stillDue<T extends PlanEntry>(
  context: BatchContext,
  entries: readonly T[],
  errors: PoolError[],
  signal: AbortSignal,
): Promise<readonly T[]> {
  const due: T[] = [];
  for (const entry of entries) {
    if (signal.aborted || errors.some(({ code }) => code === "unreachable")) break;
    try {
      const objection = objectionByWatch(context, entry) ?? (await context.acts.recheck(entry, signal));
      if (objection === null) due.push(entry);
      else settle(context, entry, "kept", objection, null);
    } catch (error) {
      if (error instanceof PoolError && error.code === "aborted") break;
      errors.push(...settleFailure(context, entry, error));
    }
  }
  return due;
}

/** What speaks against deleting an image in quarantine, a failure to find out among it. */
async function objectionTo(
  context: BatchContext,
  entry: ImageEntry,
  {
    isNamed,
    errors,
    signal,
  }: { readonly isNamed: boolean; readonly errors: PoolError[]; readonly signal: AbortSignal },
): Promise<string | null> {
  const { acts } = context;
  try {
    const byWatch = objectionByWatch(context, entry);
    if (byWatch !== null) return byWatch;
    return await (isNamed ? acts.recheck(entry, signal) : acts.recheckQuarantined(entry, signal));
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    if (error.code !== "notFound" && error.code !== "aborted") errors.push(error);
    return error.code === "notFound" ? "it is gone already" : error.message;
  }
}

function objectionByWatch({ watch, startedAtMs }: BatchContext, entry: PlanEntry): string | null {
  const name = entry.kind === "image" ? watch.touchedSince(entry.image, startedAtMs) : null;
  return name === null ? null : `${name} came into use while the eviction ran`;
}

/** Why the rest of a batch is left for now; null when it isn't. */
function reasonToStop(
  { stopsOnLittleYield }: BatchContext,
  {
    signal,
    goal,
    isLittle,
    errors,
  }: {
    readonly signal: AbortSignal;
    readonly goal: ReliefGoal;
    readonly isLittle: boolean;
    readonly errors: readonly PoolError[];
  },
): string | null {
  if (signal.aborted) return "the eviction was ended before it";
  if (goal.isReached) return "the target was reached before it";
  if (isLittle && stopsOnLittleYield) return "what went before it freed little: it is planned anew";
  const isAway = errors.some(({ code }) => code !== "failed" && code !== "noSpace");
  return isAway || errors.length >= MAX_FAILURES ? "the engine failed before it" : null;
}

/** Measures what some deletions freed, and writes them down even when the disk can't be measured any more. */
async function measure(
  context: BatchContext,
  deleted: readonly PlanEntry[],
  goal: ReliefGoal,
): Promise<number> {
  let measuredBytes: number | null = null;
  try {
    measuredBytes = await goal.after(deleted.reduce((sum, each) => sum + each.expectedBytes, 0));
    return measuredBytes;
  } finally {
    const [first] = deleted;
    for (const entry of deleted) {
      const detail = entry === first ? null : `measured together with ${first?.id ?? ""}`;
      settle(context, entry, "deleted", detail, entry === first ? measuredBytes : null);
    }
  }
}

/** Writes down what became of an entry that wasn't deleted; gives the failure if it is the engine's own. */
function settleFailure(
  context: BatchContext,
  entry: PlanEntry,
  error: unknown,
  missing: readonly string[] = [],
): readonly PoolError[] {
  if (!(error instanceof PoolError)) throw error;
  const isNormal = error.code === "conflict" || error.code === "notFound";
  const wasCutOff = error.code === "aborted" || error.code === "timeout";
  const text = wasCutOff ? `its answer wasn't waited for, it may be gone: ${error.message}` : error.message;
  const detail = missing.length === 0 ? text : `${text}; names not given back: ${missing.join(", ")}`;
  settle(context, entry, isNormal ? "kept" : "failed", detail, null);
  return toEnginesErrors(error);
}

function toEnginesErrors(error: unknown): readonly PoolError[] {
  if (!(error instanceof PoolError)) throw error;
  return error.code === "conflict" || error.code === "notFound" ? [] : [error];
}

function settle(
  { record, onOutcome }: BatchContext,
  entry: PlanEntry,
  outcome: EntryOutcome["outcome"],
  detail: string | null,
  measuredBytes: number | null,
  isPostponed = false,
): void {
  record.write(entry, { outcome, detail, measuredBytes });
  onOutcome({ entry, outcome, detail, measuredBytes, isPostponed });
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.setTimeout(finish, ms);
    if (signal.aborted) finish();
    else signal.addEventListener("abort", finish, { once: true });
  });
}
