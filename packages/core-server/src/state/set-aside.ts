import { readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Files that were set aside and are kept, for who wants to look: the newest. */
const KEPT = 3;

/**
 * Moves a state file out of the way with its journal, which would do harm to another file, and gives its new path. Of those
 * that were set aside before only the newest few stay.
 */
export function setAside(path: string, nowMs: number): string {
  const prefix = `${basename(path)}.damaged-`;
  const aside = `${path}.damaged-${nowMs}`;
  renameIfThere(path, aside);
  // Under a name that SQLite doesn't take for the journal of what was set aside: it may be another's.
  renameIfThere(`${path}-journal`, `${aside}.journal`);
  const times = readdirSync(dirname(path))
    .map((name) => (name.startsWith(prefix) ? /^\d+$/u.exec(name.slice(prefix.length)) : null))
    .flatMap((match) => (match === null ? [] : [Number(match[0])]))
    .sort((a, b) => b - a);
  for (const atMs of times.slice(KEPT)) {
    // A directory that stood in the file's place is somebody's: it isn't a copy of anything.
    for (const end of ["", ".journal"]) removeFile(join(dirname(path), `${prefix}${atMs}${end}`));
  }
  return aside;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
}

function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (!isCode(error, "ERR_FS_EISDIR")) throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
