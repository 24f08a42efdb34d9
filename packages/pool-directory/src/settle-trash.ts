import type { CacheDeletion } from "./cache-ledger.js";
import type { ChosenEntry } from "./choose-entries.js";
import { systemCode } from "./file-error.js";
import type { Trash } from "./trash.js";
import type { TrashRecord } from "./trash-record.js";

/** What writes deletions down. */
export interface DeletionRecorder {
  readonly nowMs: () => number;
  /** Writes a deletion down; false when the ledger didn't take it. Never rejects. */
  readonly record: (deletion: CacheDeletion) => Promise<boolean>;
  readonly pathOf: (key: string) => string;
}

/** What the last looks before a deletion need of the cache. */
export interface TrashCache extends DeletionRecorder {
  /** Those that must come back after all, since they are missed where they were, and why. */
  readonly missedBy: (
    taken: readonly TakenOut[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<TakenOut, string>>;
  /** Why one must come back: somebody has it open, or used or changed it before it was out of sight. */
  readonly usedBy: (taken: TakenOut, signal: AbortSignal) => Promise<string | null>;
  /** Takes a new look at what is in use, for the checks that follow. */
  readonly refreshUse: (signal: AbortSignal) => Promise<void>;
}

/** An entry in its trash. */
export interface TakenOut {
  readonly choice: ChosenEntry;
  readonly trash: Trash;
  /** Of its files, as the look before it was taken out found them. */
  readonly checksum: number;
}

/** An entry that stays after all. */
export interface Stays {
  readonly choice: ChosenEntry;
  readonly reason: string;
}

/**
 * Deletes what nobody misses of a batch that is out of sight, and puts the rest back; so does an abort. All of it and
 * where it came from is looked at once it is out of sight, and again whenever something has been put back, which may need
 * what others took with them; each entry itself is looked at once more right before its deletion. Never rejects.
 */
export async function settleTrash(
  cache: TrashCache,
  batch: readonly TakenOut[],
  signal: AbortSignal,
): Promise<{ readonly gone: readonly ChosenEntry[]; readonly stays: readonly Stays[] }> {
  const gone: ChosenEntry[] = [];
  const stays: Stays[] = [];
  const left = new Set(batch);
  while (left.size > 0) {
    const missed = await missedOf(cache, [...left], signal);
    for (const [taken, reason] of missed) {
      left.delete(taken);
      stays.push({ choice: taken.choice, reason: await putBack(taken.trash, reason) });
    }
    if (missed.size > 0) continue;
    for (const taken of left) {
      const { choice } = taken;
      left.delete(taken);
      const outcome = await deleteUnlessUsed(cache, taken, signal);
      if (outcome.kind === "gone") gone.push(choice);
      else stays.push({ choice, reason: outcome.reason });
      if (outcome.kind === "putBack") break;
    }
  }
  return { gone, stays };
}

/** What must come back of a batch: all of it where no look says more. */
async function missedOf(
  cache: TrashCache,
  taken: readonly TakenOut[],
  signal: AbortSignal,
): Promise<ReadonlyMap<TakenOut, string>> {
  const all = (reason: string): ReadonlyMap<TakenOut, string> => new Map(taken.map((each) => [each, reason]));
  if (signal.aborted) return all("the eviction was aborted");
  try {
    await cache.refreshUse(signal);
    const missed = new Map(await cache.missedBy(taken, signal));
    for (const each of taken) {
      const reason = missed.has(each) ? null : await cache.usedBy(each, signal);
      if (reason !== null) missed.set(each, reason);
    }
    return missed;
  } catch (error) {
    return all(toReason(error));
  }
}

type Outcome =
  { readonly kind: "gone" } | { readonly kind: "putBack" | "halfDeleted"; readonly reason: string };

async function deleteUnlessUsed(cache: TrashCache, taken: TakenOut, signal: AbortSignal): Promise<Outcome> {
  const { trash } = taken;
  try {
    const reason = signal.aborted ? "the eviction was aborted" : await cache.usedBy(taken, signal);
    if (reason !== null) return { kind: "putBack", reason: await putBack(trash, reason) };
    await trash.commit();
  } catch (error) {
    // Without the mark a kill in the middle would leave half of it for whole.
    return { kind: "putBack", reason: await putBack(trash, toReason(error)) };
  }
  try {
    await finishCommitted(cache, trash);
    return { kind: "gone" };
  } catch (error) {
    return { kind: "halfDeleted", reason: toReason(error) };
  }
}

/** Puts a trash back; gives the reason, or why that can't be done: a later process does it then. */
async function putBack(trash: Trash, reason: string): Promise<string> {
  try {
    await trash.putBack();
    return reason;
  } catch (error) {
    return `${reason}; it can't be put back: ${toReason(error)}`;
  }
}

/** Deletes what is in a committed trash, writes it down, and only then forgets it: else a later process writes it. */
export async function finishCommitted(cache: DeletionRecorder, trash: Trash): Promise<void> {
  await trash.empty();
  if (await cache.record(toLedger(cache, trash.record, "deleted"))) await trash.discard();
}

/** A deletion as the ledger takes it. */
export function toLedger(
  { nowMs, pathOf }: DeletionRecorder,
  { id, pool, key, kind, expectedBytes, reason, restore: restoreCommand }: TrashRecord,
  outcome: CacheDeletion["outcome"],
): CacheDeletion {
  const what = { id, pool, key, kind, path: pathOf(key), outcome };
  return { ...what, expectedBytes, reason, atMs: nowMs(), restoreCommand };
}

/** An error for a person, in one line. */
export function toReason(error: unknown): string {
  const code = systemCode(error);
  if (code === null && !(error instanceof Error)) return String(error);
  return code === null ? (error as Error).message : `it can't be moved (${code})`;
}
