import { randomUUID } from "node:crypto";
import type { CacheEntry } from "./cache-entry.js";
import type { CacheDeletion } from "./cache-ledger.js";
import { TRASH_PREFIX } from "./cache-scan.js";
import type { ChosenEntry } from "./choose-entries.js";
import { isGone, systemCode } from "./file-error.js";
import type { SafeDirectory } from "./safe-directory.js";
import { splitPath, Trash } from "./trash.js";
import { processStartOf, type TrashRecord } from "./trash-record.js";

/** So many entries are taken out of sight before they are looked at once more and deleted together. */
const BATCH = 16;

/** What an eviction needs of the cache. */
export interface EvictionCache {
  readonly pool: string;
  readonly root: SafeDirectory;
  readonly nowMs: () => number;
  /** The entry as it is now, with what goes with it; or why it must stay. */
  readonly recheck: (
    entry: CacheEntry,
    signal: AbortSignal,
  ) => Promise<readonly string[] | { readonly stays: string }>;
  /** Why an entry that is in its trash must come back after all; null when nobody misses it. */
  readonly missedBy: (trash: Trash, signal: AbortSignal) => Promise<string | null>;
  /** Takes a new look at what is in use, for the checks that follow. */
  readonly refreshUse: (signal: AbortSignal) => Promise<void>;
  /** Writes a deletion down; false when the ledger didn't take it. Never rejects. */
  readonly record: (deletion: CacheDeletion) => Promise<boolean>;
  readonly pathOf: (key: string) => string;
}

/** What became of the entries. */
export interface EvictionOutcome {
  readonly deleted: readonly ChosenEntry[];
  readonly skipped: readonly { readonly key: string; readonly reason: string }[];
}

/**
 * Deletes entries in batches: each is looked at again and moved out of sight, the batch is looked at once more, and
 * what nobody has begun to use is deleted; the rest is put back. An abort puts back what isn't committed yet.
 */
export async function evictEntries(
  cache: EvictionCache,
  chosen: readonly ChosenEntry[],
  reasonOf: (entry: CacheEntry) => string,
  signal: AbortSignal,
): Promise<EvictionOutcome> {
  const deleted: ChosenEntry[] = [];
  const skipped: { key: string; reason: string }[] = [];
  const processStart = await processStartOf(process.pid);
  for (let at = 0; at < chosen.length && !signal.aborted; at += BATCH) {
    const moved: { readonly choice: ChosenEntry; readonly trash: Trash }[] = [];
    await cache.refreshUse(signal);
    for (const choice of chosen.slice(at, at + BATCH)) {
      if (isAborted(signal)) break;
      const { entry, expectedBytes } = choice;
      const skip = (reason: string): number => skipped.push({ key: entry.key, reason });
      try {
        const paths = await cache.recheck(entry, signal);
        if ("stays" in paths) {
          skip(paths.stays);
          continue;
        }
        const record: TrashRecord = {
          id: randomUUID(),
          pool: cache.pool,
          key: entry.key,
          kind: entry.kind,
          expectedBytes,
          reason: reasonOf(entry),
          restore: entry.restore,
          startedAtMs: cache.nowMs(),
          pid: process.pid,
          processStart,
          paths,
        };
        const trash = await intoTrash(cache, record);
        if (trash !== null) moved.push({ choice, trash });
        else deleted.push(choice);
      } catch (error) {
        skip(toReason(error));
      }
    }
    if (moved.length > 0) await cache.refreshUse(signal);
    for (const { choice, trash } of moved) {
      const reason = await finish(cache, trash, signal);
      if (reason === null) deleted.push(choice);
      else skipped.push({ key: choice.entry.key, reason });
    }
  }
  return { deleted, skipped };
}

/** Moves an entry into its trash; on a full disk, where there is no room for one, it is deleted at once: null. */
async function intoTrash(cache: EvictionCache, record: TrashRecord): Promise<Trash | null> {
  let trash: Trash;
  try {
    trash = await Trash.create(cache.root, record);
  } catch (error) {
    if (!isWithoutRoom(error)) throw error;
    // Nothing else says what goes now, should a kill come in between.
    await cache.record(toLedger(cache, record, "intended"));
    await removeWithoutRoom(cache.root, record.paths);
    await cache.record(toLedger(cache, record, "deleted"));
    return null;
  }
  try {
    await trash.moveIn();
    return trash;
  } catch (error) {
    await trash.putBack();
    throw error;
  }
}

/**
 * A rename takes no room: each path gets a name that any later process knows as one to delete. Where even that has none,
 * because the root would have to grow for one more name, the path is deleted where it is.
 */
async function removeWithoutRoom(root: SafeDirectory, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { parent, name } = splitPath(path);
    const trashName = `${TRASH_PREFIX}${randomUUID()}`;
    try {
      await using from = await root.descend(parent);
      try {
        await from.move(name, root, trashName);
      } catch (error) {
        if (!isWithoutRoom(error)) throw error;
        await from.remove(name);
      }
      await root.remove(trashName);
    } catch (error) {
      // Somebody else has deleted it: the rest goes all the same.
      if (!isGone(error)) throw error;
    }
  }
}

function isWithoutRoom(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");
}

/** Deletes what is in a trash, or puts it back and gives the reason. */
async function finish(cache: EvictionCache, trash: Trash, signal: AbortSignal): Promise<string | null> {
  try {
    const reason = signal.aborted ? "the eviction was aborted" : await cache.missedBy(trash, signal);
    if (reason !== null) {
      await trash.putBack();
      return reason;
    }
    try {
      await trash.commit();
    } catch (error) {
      // Without the mark a kill in the middle would leave half of it for whole.
      await trash.putBack();
      throw error;
    }
    await finishCommitted(cache, trash);
    return null;
  } catch (error) {
    return toReason(error);
  }
}

/** Deletes what is in a committed trash, writes it down, and only then forgets it: else a later process writes it. */
export async function finishCommitted(
  cache: Pick<EvictionCache, "record" | "nowMs" | "pathOf">,
  trash: Trash,
): Promise<void> {
  await trash.empty();
  if (await cache.record(toLedger(cache, trash.record, "deleted"))) await trash.discard();
}

function toLedger(
  { nowMs, pathOf }: Pick<EvictionCache, "nowMs" | "pathOf">,
  { id, pool, key, kind, expectedBytes, reason, restore: restoreCommand }: TrashRecord,
  outcome: CacheDeletion["outcome"],
): CacheDeletion {
  const what = { id, pool, key, kind, path: pathOf(key), outcome };
  return { ...what, expectedBytes, reason, atMs: nowMs(), restoreCommand };
}

/** A signal aborts while one waits: the compiler takes its first answer for the last. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function toReason(error: unknown): string {
  const code = systemCode(error);
  if (code === null && !(error instanceof Error)) return String(error);
  return code === null ? (error as Error).message : `it can't be moved (${code})`;
}
