import type { Clock } from "./clock.js";
import { PoolError } from "./pool-error.js";

/**
 * Runs something that takes a signal, and waits for it no longer than `deadlineMs`.
 *
 * At the deadline, or when `outer` aborts, the signal aborts and the promise rejects with a PoolError `timeout` or
 * `aborted`, whether or not `run` listens; what it does later goes nowhere.
 */
export function withDeadline<T>(
  clock: Clock,
  {
    what,
    deadlineMs,
    outer,
  }: { readonly what: string; readonly deadlineMs: number; readonly outer?: AbortSignal | undefined },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const give = (code: "timeout" | "aborted", message: string): void => {
      const error = new PoolError(code, message);
      finish();
      abort.abort(error);
      reject(error);
    };
    const onAbort = (): void => {
      give("aborted", `${what} was aborted`);
    };
    const cancelTimer = clock.setTimeout(() => {
      give("timeout", `${what} took longer than ${deadlineMs} ms`);
    }, deadlineMs);
    const finish = (): void => {
      cancelTimer();
      outer?.removeEventListener("abort", onAbort);
    };
    if (outer?.aborted === true) {
      onAbort();
      return;
    }
    outer?.addEventListener("abort", onAbort, { once: true });
    // `then` on a started promise: a synchronous throw of `run` is a rejection too.
    Promise.resolve()
      .then(() => run(abort.signal))
      .finally(finish)
      .then(resolve, reject);
  });
}
