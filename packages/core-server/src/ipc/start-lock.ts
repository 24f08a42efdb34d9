import { readFile, stat, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreError } from "../core-error.js";
import { errorCode, unlinkIfThere } from "./socket-file.js";

/** What is done under the lock takes about a second at most: a lock this old is left over, whoever has its pid now. */
const STALE_AFTER_MS = 10_000;
const WAIT_MS = 25;
const GIVE_UP_AFTER_MS = 15_000;

/**
 * Runs `work` while no other starting core does, by a file that only one can create. Its owner's pid stands in it,
 * so that one left by a core that was killed in between is recognised. Throws a CoreError `listen` when it stays taken.
 */
export async function withStartLock<T>(lockPath: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  while (!(await tryLock(lockPath))) {
    if (performance.now() - startedAt > GIVE_UP_AFTER_MS) {
      throw new CoreError("listen", `another core has been starting for too long: ${lockPath}`);
    }
    if (await isLeftOver(lockPath)) await unlinkIfThere(lockPath);
    else await sleep(WAIT_MS);
  }
  try {
    return await work();
  } finally {
    await unlinkIfThere(lockPath);
  }
}

async function tryLock(lockPath: string): Promise<boolean> {
  try {
    await writeFile(lockPath, String(process.pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function isLeftOver(lockPath: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(lockPath);
    if (Date.now() - mtimeMs > STALE_AFTER_MS) return true;
    const pid = Number(await readFile(lockPath, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 && !isAlive(pid);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}
