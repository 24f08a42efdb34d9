import { TRASH_PREFIX } from "./cache-scan.js";
import type { SafeDirectory } from "./safe-directory.js";
import { type DeletionRecorder, finishCommitted } from "./settle-trash.js";
import { Trash } from "./trash.js";
import { isOwnerAlive } from "./trash-record.js";

const TRASH_NAME = new RegExp(
  `^${TRASH_PREFIX.replaceAll(".", "\\.")}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`,
  "u",
);

/** What became of the trash of processes that were killed. */
export interface TrashRecovery {
  /** Keys that were put back: nothing of them had been deleted yet. */
  readonly putBack: readonly string[];
  /** Keys whose deletion was finished: they were no longer complete. */
  readonly finished: readonly string[];
  /** Directories that are named like trash and whose record isn't one: left alone. */
  readonly foreign: readonly string[];
}

/**
 * Settles the trash that killed processes left. What wasn't committed is complete and is put back, since nobody looked
 * at it a last time; what was committed may be half deleted, so its deletion is finished. A running process's is left.
 */
export async function recoverTrash(
  cache: DeletionRecorder & { readonly root: SafeDirectory },
): Promise<TrashRecovery> {
  const putBack: string[] = [];
  const finished: string[] = [];
  const foreign: string[] = [];
  const names = await cache.root.names();
  for (const name of names.filter((each) => TRASH_NAME.test(each))) {
    const trash = await Trash.open(cache.root, name);
    if (trash === null) {
      // Made before its record, with nothing in it; or on a full disk, to be deleted at once.
      await cache.root.remove(name);
    } else if (trash === "foreign") {
      foreign.push(name);
    } else if (await isOwnerAlive(trash.record)) {
      continue;
    } else if (await trash.isCommitted()) {
      await finishCommitted(cache, trash);
      finished.push(trash.record.key);
    } else {
      await trash.putBack();
      putBack.push(trash.record.key);
    }
  }
  return { putBack, finished, foreign };
}
