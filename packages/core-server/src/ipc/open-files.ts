import { readFileSync } from "node:fs";

/** Files that a core keeps for itself beside its connections: its state, pools, sockets to the engine. */
const RESERVED_FILES = 256;

/** How many files this process may open; null where the system doesn't say. Node has raised it as far as it may. */
export function openFileLimit(): number | null {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/mu.exec(limits)?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    // Only Linux has this file; elsewhere the limit shows itself when it is reached.
    return null;
  }
}

/** How many connections there is room for, of those wanted, when so many files may be opened. */
export function connectionRoom(wanted: number, fileLimit: number | null): number {
  if (fileLimit === null) return wanted;
  return Math.min(wanted, Math.max(Math.floor(fileLimit / 2), fileLimit - RESERVED_FILES));
}
