import { RequestError } from "../request-error.js";

/** How many requests wait for a busy module before more are refused. */
export const DEFAULT_MAX_QUEUED = 1024;

/** Lets a limited number of tasks run at once; a limited number more wait, first come, first served. */
export class ConcurrencyGate {
  #running = 0;
  /** In order of arrival; a Set, so that one that gives up leaves without a search. */
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly name: string,
    private readonly maxRunning: number,
    private readonly maxQueued: number,
  ) {}

  /** Tasks that run now. */
  get running(): number {
    return this.#running;
  }

  /** Tasks that wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `task` when there is room. Rejects with a RequestError `overloaded` when the queue is full, and with the
   * signal's reason when it aborts: the place of a task that doesn't heed its signal is given to the next all the same.
   */
  async run<T>(task: () => T | Promise<T>, owner: { readonly signal: AbortSignal }): Promise<T> {
    if (this.#running >= this.maxRunning) await this.#wait(owner.signal);
    else this.#running += 1;
    try {
      const result = task();
      // The signal is only asked for when it is needed: many owners make it then, and most tasks answer at once.
      return result instanceof Promise ? await orAborted(result, owner.signal) : result;
    } finally {
      this.#leave();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.maxQueued) {
      const reason = `${this.name} has ${this.#running} requests running and ${this.#waiting.size} waiting`;
      return Promise.reject(new RequestError(`overloaded: ${reason}`, { kind: "overloaded", reason }));
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(admit);
        reject(signal.reason as Error);
      };
      const admit = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(admit);
    });
  }

  /** The place of a task that ended goes to the one that waited longest: the count stays as it is. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

function orAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void task.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
