import { readFile } from "node:fs/promises";
import { systemCode } from "./file-error.js";
import { splitRelative } from "./safe-directory.js";

/** What a trash directory says of itself: enough to put everything back, or to finish, after a kill. */
export interface TrashRecord {
  readonly id: string;
  readonly pool: string;
  readonly key: string;
  readonly kind: string;
  readonly expectedBytes: number;
  readonly reason: string;
  readonly restore: string | null;
  readonly startedAtMs: number;
  /** The process that evicts; its start time tells it from a later one with its number. */
  readonly pid: number;
  readonly processStart: string;
  /** Relative to the cache's root; the item of the same index has what was there. */
  readonly paths: readonly string[];
}

const MAX_PATHS = 100_000;

/** The record of a text; null for anything that this program wouldn't have written, paths out of the root included. */
export function parseTrashRecord(text: string): TrashRecord | null {
  try {
    const record = JSON.parse(text) as Partial<Record<keyof TrashRecord, unknown>> | null;
    if (typeof record !== "object" || record === null) return null;
    const { id, pool, key, kind, expectedBytes, reason, restore, startedAtMs, pid, processStart, paths } =
      record;
    const texts = [id, pool, key, kind, reason, processStart];
    const numbers = [expectedBytes, startedAtMs, pid];
    const isRecord =
      texts.every((each) => typeof each === "string") &&
      numbers.every((each) => Number.isSafeInteger(each)) &&
      (restore === null || typeof restore === "string") &&
      Array.isArray(paths) &&
      paths.length <= MAX_PATHS;
    if (!isRecord) return null;
    for (const path of paths as unknown[]) {
      if (typeof path !== "string" || splitRelative(path).length === 0) return null;
    }
    return record as TrashRecord;
  } catch {
    // No JSON, or a path that leads out.
    return null;
  }
}

/** When a process started, in a form that only this machine's next boot could repeat; empty where it isn't known. */
export async function processStartOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold blanks; the start is the 20th field after it.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    return `${boot.trim()}/${ticks}`;
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return "";
  }
}

/** Whether the process that made a record still runs. */
export async function isOwnerAlive({ pid, processStart }: TrashRecord): Promise<boolean> {
  if (processStart !== "") return (await processStartOf(pid)) === processStart;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}
