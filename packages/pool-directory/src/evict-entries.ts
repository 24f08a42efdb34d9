import { randomUUID } from "node:crypto";
import type { CacheEntry } from "./cache-entry.js";
import { TRASH_PREFIX } from "./cache-scan.js";
import type { EntryCheck, Going } from "./check-entries.js";
import type { ChosenEntry } from "./choose-entries.js";
import { isGone, systemCode } from "./file-error.js";
import type { SafeDirectory } from "./safe-directory.js";
import {
  settleTrash,
  type Stays,
  type TakenOut,
  toLedger,
  toReason,
  type TrashCache,
} from "./settle-trash.js";
import { splitPath, Trash } from "./trash.js";
import { processStartOf, type TrashRecord } from "./trash-record.js";

/** So many entries at least are taken out of sight before they are looked at once more and deleted. */
const FIRST_BATCH = 16;

/** What an eviction needs of the cache. */
export interface EvictionCache extends TrashCache {
  readonly pool: string;
  readonly root: SafeDirectory;
  /** A new look at entries, as they are now. */
  readonly recheck: (entries: readonly CacheEntry[], signal: AbortSignal) => Promise<EntryCheck>;
}

/** What became of the entries. */
export interface EvictionOutcome {
  readonly deleted: readonly ChosenEntry[];
  readonly skipped: readonly { readonly key: string; readonly reason: string }[];
}

/**
 * Deletes entries in batches: they are looked at again and moved out of sight, the batch is looked at once more, and
 * what nobody has begun to use is deleted; the rest is put back. An abort puts back what isn't committed yet.
 *
 * A look takes as long as the repositories are large. So a batch may be as large as all before it together: the looks
 * grow with the logarithm of the entries, and what is out of sight at any time isn't more than what has been deleted.
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
  const newRecord = ({ entry, expectedBytes }: ChosenEntry, { paths }: Going): TrashRecord => ({
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
  });
  for (let at = 0; at < chosen.length && !signal.aborted;) {
    const batch = chosen.slice(at, at + Math.max(FIRST_BATCH, at));
    const out = await takeBatch(cache, batch, newRecord, signal);
    at += out.count;
    const settled = await settleTrash(cache, out.taken, signal);
    deleted.push(...out.deletedAtOnce, ...settled.gone);
    for (const { choice, reason } of [...out.stays, ...settled.stays]) {
      skipped.push({ key: choice.entry.key, reason });
    }
  }
  return { deleted, skipped };
}

/** What became of a batch; `count` entries of it were dealt with, the others are for the next one. */
interface TakenBatch {
  count: number;
  readonly taken: TakenOut[];
  readonly deletedAtOnce: ChosenEntry[];
  readonly stays: Stays[];
}

/** Looks at a batch again and moves what may go out of sight. Never rejects. */
async function takeBatch(
  cache: EvictionCache,
  batch: readonly ChosenEntry[],
  newRecord: (choice: ChosenEntry, going: Going) => TrashRecord,
  signal: AbortSignal,
): Promise<TakenBatch> {
  const out: TakenBatch = { count: 0, taken: [], deletedAtOnce: [], stays: [] };
  const check = await lookAgain(cache, batch, signal);
  for (const choice of batch) {
    if (signal.aborted) break;
    const going = typeof check === "string" ? { stays: check } : check.whatGoes(choice.entry);
    try {
      if ("stays" in going) {
        out.stays.push({ choice, reason: going.stays });
      } else {
        const trash = await intoTrash(cache, newRecord(choice, going), out.taken.length === 0);
        // What is in the trash makes room when it goes, before anything is deleted without a last look.
        if (trash === "noRoom") break;
        if (trash === "deleted") out.deletedAtOnce.push(choice);
        else out.taken.push({ choice, trash, checksum: going.checksum });
        if (typeof check !== "string") check.taken(choice.entry);
      }
    } catch (error) {
      out.stays.push({ choice, reason: toReason(error) });
    }
    out.count += 1;
  }
  return out;
}

/** A new look at a batch; why nothing of it may go when there is none. */
async function lookAgain(
  cache: EvictionCache,
  batch: readonly ChosenEntry[],
  signal: AbortSignal,
): Promise<EntryCheck | string> {
  try {
    await cache.refreshUse(signal);
    return await cache.recheck(
      batch.map(({ entry }) => entry),
      signal,
    );
  } catch (error) {
    return toReason(error);
  }
}

/**
 * Moves an entry into its trash. On a full disk, where there is no room for one, it is deleted at once if nothing else
 * makes room.
 */
async function intoTrash(
  cache: EvictionCache,
  record: TrashRecord,
  isOnlyWay: boolean,
): Promise<Trash | "deleted" | "noRoom"> {
  let trash: Trash;
  try {
    trash = await Trash.create(cache.root, record);
  } catch (error) {
    if (!isWithoutRoom(error)) throw error;
    if (!isOnlyWay) return "noRoom";
    // Nothing else says what goes now, should a kill come in between.
    await cache.record(toLedger(cache, record, "intended"));
    await removeWithoutRoom(cache.root, record.paths);
    await cache.record(toLedger(cache, record, "deleted"));
    return "deleted";
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
