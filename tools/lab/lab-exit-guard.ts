import { destroyLab } from "./destroy-lab.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const guarded = new Set<string>();
let installed = false;

/**
 * Takes a lab down when this process ends in any way it can notice: a normal exit, an uncaught exception, SIGINT,
 * SIGTERM, SIGHUP. A kill -9 can't be noticed; the next sweep finds what that leaves.
 */
export function guardLab(dir: string): void {
  guarded.add(dir);
  if (installed) return;
  installed = true;
  process.on("exit", destroyGuarded);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/** Stops watching over a lab that has been taken down. */
export function unguardLab(dir: string): void {
  guarded.delete(dir);
  if (guarded.size > 0 || !installed) return;
  installed = false;
  process.off("exit", destroyGuarded);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function destroyGuarded(): void {
  for (const dir of [...guarded]) {
    const left = destroyLab(dir);
    if (left.length > 0) console.error(`docker-lab: could not remove ${left.join(", ")}`);
    guarded.delete(dir);
  }
}

function onSignal(signal: NodeJS.Signals): void {
  // Whoever else listens decides what the signal means; they stop the lab, or the exit handler does.
  if (process.listenerCount(signal) > 1) return;
  destroyGuarded();
  for (const each of SIGNALS) process.off(each, onSignal);
  process.kill(process.pid, signal);
}
