import { PoolError } from "@continuum/broker-core";

/** Who waits for a load when it ends: `pinning` of the `waiting` want the entry pinned. */
export interface Waiting {
  readonly waiting: number;
  readonly pinning: number;
}

/** How a caller waits for a load. */
export interface JoinOptions {
  /** For the error of a caller that aborts. */
  readonly what: string;
  readonly wantsPin: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * One load that several callers wait for. A caller that aborts leaves; when the last has left, the load's signal
 * aborts. `settle` is called once, with the loaded value and who waits then; all of them get what it gives.
 */
export class LoadFlight<V, R> {
  /** Resolves when the load itself has ended, however late; never rejects. */
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();
  readonly #result: Promise<R>;
  #waiting = 0;
  #pinning = 0;
  #isSettled = false;

  constructor(
    load: (signal: AbortSignal) => V | Promise<V>,
    settle: (value: V, waiting: Waiting) => R,
    private readonly onAbandoned: () => void,
  ) {
    const { signal } = this.#abort;
    this.#result = Promise.resolve()
      .then(() => load(signal))
      .then((value) => {
        this.#isSettled = true;
        return settle(value, { waiting: this.#waiting, pinning: this.#pinning });
      });
    this.ended = this.#result.then(
      () => undefined,
      () => undefined,
    );
  }

  /** Waits for the load; rejects with what it threw, or with a PoolError `aborted` when `signal` does. */
  join({ what, wantsPin, signal }: JoinOptions): Promise<R> {
    this.#waiting += 1;
    if (wantsPin) this.#pinning += 1;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        // What has been handed out already belongs to the caller, pin and all.
        if (this.#isSettled) return;
        this.#waiting -= 1;
        if (wantsPin) this.#pinning -= 1;
        reject(new PoolError("aborted", `${what} was aborted`, { cause: signal?.reason }));
        if (this.#waiting === 0) this.abort();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#result
        .finally(() => {
          signal?.removeEventListener("abort", onAbort);
        })
        .then(resolve, reject);
    });
  }

  /** Aborts the load, as when nobody waits for it any more. */
  abort(): void {
    this.onAbandoned();
    this.#abort.abort(new PoolError("aborted", "nobody waits for this load any more"));
  }
}
