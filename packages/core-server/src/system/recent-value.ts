import type { Clock } from "@continuum/broker-core";

/** What a RecentValue needs. */
export interface RecentValueOptions<T> {
  /** Reads it anew; has a deadline of its own. */
  readonly read: () => Promise<T>;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** How long ago the value that is given may have been read, in ms. */
  readonly maxAgeMs: number;
}

/**
 * A value that is read at most once for all who ask at the same time, and given again for a moment after that: at once,
 * without a promise. A thousand polls in a row cost one reading. A reading that fails isn't kept.
 */
export class RecentValue<T> {
  #last: { readonly value: T; readonly readMs: number } | null = null;
  #reading: Promise<T> | null = null;

  constructor(private readonly options: RecentValueOptions<T>) {}

  /** The value; a promise of it where it has to be read, which rejects as the reading does. */
  get(): T | Promise<T> {
    const { clock, maxAgeMs } = this.options;
    const last = this.#last;
    if (last !== null && clock.monotonicMs() - last.readMs < maxAgeMs) return last.value;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<T> {
    // From before the reading: that is how old the value may be.
    const readMs = this.options.clock.monotonicMs();
    const value = await this.options.read();
    this.#last = { value, readMs };
    return value;
  }
}
