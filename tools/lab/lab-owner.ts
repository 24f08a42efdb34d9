import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const OWNER_FILE = "owner.json";
/** A lab directory without an owner file is being made right now, or its maker died within that instant. */
const UNOWNED_GRACE_MS = 60_000;

/** The process a lab belongs to: its id, and its start time, because ids are used again. */
interface LabOwner {
  readonly pid: number;
  readonly startTicks: string;
}

/** Start time of a process in clock ticks since boot (field 22 of its stat); null when it is gone or a zombie. */
export function readStartTicks(pid: number, procDir = "/proc"): string | null {
  try {
    return parseStartTicks(readFileSync(join(procDir, String(pid), "stat"), "utf8"));
  } catch {
    return null;
  }
}

/** Start time from the text of a `/proc/PID/stat`; the name in it may hold spaces and brackets. Null for a zombie. */
export function parseStartTicks(stat: string): string | null {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? null : (fields[19] ?? null);
}

/** Writes down this process as the owner of a lab directory. */
export function writeOwner(dir: string): void {
  const owner: LabOwner = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? "" };
  writeFileSync(join(dir, OWNER_FILE), JSON.stringify(owner));
}

/** Whether that very process still runs. */
export function isOwnerAlive(
  owner: LabOwner,
  startTicks: (pid: number) => string | null = readStartTicks,
): boolean {
  const now = startTicks(owner.pid);
  return now !== null && now === owner.startTicks;
}

/** Whether nobody owns this lab directory any more. */
export function isStaleLab(dir: string, nowMs = Date.now()): boolean {
  const owner = readOwner(dir);
  if (owner !== null) return !isOwnerAlive(owner);
  try {
    return nowMs - statSync(dir).mtimeMs > UNOWNED_GRACE_MS;
  } catch {
    return false;
  }
}

function readOwner(dir: string): LabOwner | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(dir, OWNER_FILE), "utf8"));
    if (typeof value !== "object" || value === null || !("pid" in value) || !("startTicks" in value))
      return null;
    const { pid, startTicks } = value;
    return typeof pid === "number" && typeof startTicks === "string" ? { pid, startTicks } : null;
  } catch {
    return null;
  }
}
