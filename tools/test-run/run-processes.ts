import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A living process that was started with a directory of the test run in its environment. */
export interface RunProcess {
  readonly pid: number;
  readonly command: string;
  /** Whether this process started it, or a living process that this one started. */
  readonly isDescendant: boolean;
}

/**
 * The processes that a test run started: those with one of its directories in the environment they were started
 * with (`TMPDIR` as a rule). A person's pager on a file there isn't one. This process itself isn't listed.
 */
export function findRunProcesses(
  dirs: readonly string[],
  procDir = "/proc",
  self = process.pid,
): RunProcess[] {
  const pids = readdirSync(procDir).filter((name) => /^\d+$/u.test(name) && Number(name) !== self);
  const parents = new Map(pids.map((pid) => [Number(pid), readParent(join(procDir, pid, "stat"))]));
  return pids
    .filter((pid) =>
      read(join(procDir, pid, "environ"))
        .split("\0")
        .some((variable) => dirs.some((dir) => variable.endsWith(`=${dir}`) || variable.includes(`${dir}/`))),
    )
    .map((pid) => ({
      pid: Number(pid),
      command: read(join(procDir, pid, "cmdline"))
        .replaceAll("\0", " ")
        .trim(),
      isDescendant: isBelow(self, Number(pid), parents),
    }));
}

function isBelow(ancestor: number, pid: number, parents: ReadonlyMap<number, number>): boolean {
  const seen = new Set<number>();
  for (let at = parents.get(pid); at !== undefined && !seen.has(at); at = parents.get(at)) {
    if (at === ancestor) return true;
    seen.add(at);
  }
  return false;
}

/** The second field behind the name, which itself may hold spaces and brackets; 0 for a process that is gone. */
function readParent(path: string): number {
  const stat = read(path);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone in between, or another user's.
    return "";
  }
}
