import type { Clock } from "@continuum/broker-core";

/**
 * Runs something with a signal that aborts only `graceMs` after `outer` does: a deletion that the engine has begun is
 * carried out whether or not anybody waits for it, so its answer is worth a moment.
 */
export async function withGrace<T>(
  outer: AbortSignal,
  clock: Clock,
  graceMs: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController();
  let cancel = (): void => undefined;
  const onAbort = (): void => {
    cancel = clock.setTimeout(() => {
      inner.abort(outer.reason);
    }, graceMs);
  };
  if (outer.aborted) onAbort();
  else outer.addEventListener("abort", onAbort, { once: true });
  try {
    return await run(inner.signal);
  } finally {
    outer.removeEventListener("abort", onAbort);
    cancel();
  }
}
