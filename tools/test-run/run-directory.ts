import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { destroyLab } from "../lab/destroy-lab.js";
import { isStaleLab, writeOwner } from "../lab/lab-owner.js";
import { LAB_DIR_PREFIX } from "../lab/sweep-stale-labs.js";
import { findRunProcesses, type RunProcess } from "./run-processes.js";

/** What the name of each run's directory begins with; short, because sockets lie below it. */
const RUN_DIR_PREFIX = "continuum-run-";
const MEMORY_DIR = "/dev/shm";
const KILL_WITHIN_MS = 10_000;
/** Caches that tools keep in the temporary directory: tsx, and what uses Node's compile cache (npm, tsc). */
const TOOL_CACHES = [/^tsx-\d+$/u, /^node-compile-cache$/u];

/** Where everything temporary of one test run lies, on the disk and in memory. */
export interface RunDirectory {
  readonly dir: string;
  /** The same on a filesystem in memory, for tests that sync a lot; `dir` itself where there is none. */
  readonly memoryDir: string;
}

/** Makes the directories of a test run, owned by this process. */
export function makeRunDirectory(parent = tmpdir(), memoryParent = MEMORY_DIR): RunDirectory {
  const dir = mkdtempSync(join(parent, RUN_DIR_PREFIX));
  writeOwner(dir);
  if (!existsSync(memoryParent)) return { dir, memoryDir: dir };
  // Of the same name: whoever removes the one finds the other.
  const memoryDir = join(memoryParent, basename(dir));
  mkdirSync(memoryDir, { mode: 0o700 });
  writeOwner(memoryDir);
  return { dir, memoryDir };
}

/** What tests have left in a run's directories, and what they started that still runs on its own; a line each. */
export function findLeftovers({ dir, memoryDir }: RunDirectory): string[] {
  const isLeft = (name: string): boolean =>
    name !== "owner.json" && !TOOL_CACHES.some((cache) => cache.test(name));
  const entries = [...new Set([dir, memoryDir])].flatMap((each) =>
    readdirSync(each)
      .filter(isLeft)
      .map((name) => join(each, name)),
  );
  // What this process or a worker of its still holds ends with them.
  const orphans = processesOf([dir, memoryDir]).filter(({ isDescendant }) => !isDescendant);
  return [...entries, ...orphans.map(({ pid, command }) => `process ${pid}: ${command}`)];
}

/**
 * Ends what a run started, and removes its directories with all that is mounted there. Synchronous, so that it also
 * runs in an `exit` handler; bounded in time; harmless to repeat. `spare` keeps some processes.
 */
export function destroyRunDirectory(
  { dir, memoryDir }: RunDirectory,
  spare: (process: RunProcess) => boolean = () => false,
): string[] {
  const deadline = performance.now() + KILL_WITHIN_MS;
  for (;;) {
    const living = processesOf([dir, memoryDir]).filter((each) => !spare(each));
    if (living.length === 0 || performance.now() > deadline) break;
    for (const { pid } of living) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone in between.
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return [...new Set([dir, memoryDir])].flatMap(removeDirectory);
}

/** Removes what runs have left whose process was killed before it could; gives what is still there of them. */
export function sweepStaleRuns(parent = tmpdir(), memoryParent = MEMORY_DIR): string[] {
  if (process.platform !== "linux") return [];
  const stale = [parent, memoryParent].flatMap((each) =>
    existsSync(each)
      ? readdirSync(each).filter((name) => name.startsWith(RUN_DIR_PREFIX) && isStaleLab(join(each, name)))
      : [],
  );
  return [...new Set(stale)].flatMap((name) =>
    destroyRunDirectory({ dir: join(parent, name), memoryDir: join(memoryParent, name) }),
  );
}

function processesOf(dirs: readonly string[]): RunProcess[] {
  return process.platform === "linux" ? findRunProcesses(dirs) : [];
}

function removeDirectory(dir: string): string[] {
  if (!existsSync(dir)) return [];
  if (process.platform !== "linux") {
    rmSync(dir, { recursive: true, force: true });
    return [];
  }
  const labs = readdirSync(dir).filter((name) => name.startsWith(LAB_DIR_PREFIX));
  return [...labs.flatMap((name) => destroyLab(join(dir, name))), ...destroyLab(dir)];
}
