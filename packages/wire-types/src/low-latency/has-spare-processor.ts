import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

/**
 * Whether a processor is to spare now: there is more than one, and not more threads want to run than there are. Linux
 * says how many do at this moment; elsewhere the load of the last minute has to do.
 */
export function hasSpareProcessor(): boolean {
  const processors = availableParallelism();
  return processors > 1 && readRunnable() <= processors;
}

function readRunnable(): number {
  try {
    const runnable = / (\d+)\/\d+ /u.exec(readFileSync("/proc/loadavg", "utf8"))?.[1];
    if (runnable !== undefined) return Number(runnable);
  } catch {
    // No such file here.
  }
  return loadavg()[0] ?? 0;
}
