import type { Clock } from "@continuum/broker-core";

/** So many reads within one millisecond are the beginning of very many. */
const THICK_READS = 16;
/** A time is given so often at most before the clock is read again. */
const READS_PER_TIME = 1_000;
/** Where fewer came of a time than this, reading the clock each time is cheaper. */
const WORTHWHILE_READS = 8;

/**
 * Wall clock for the times of uses. Reading the clock takes longer than a lookup: where uses come thick, those of one
 * synchronous stretch of the program share a time, 1,000 at most.
 */
export class UseTime {
  #lastMs = Number.NaN;
  /** How often in a row the clock said the same. */
  #sameReads = 0;
  /** So often the last time is still given. */
  #left = 0;
  #isForgetting = false;

  constructor(private readonly clock: Pick<Clock, "nowMs">) {}

  /** Unix milliseconds. */
  nowMs(): number {
    if (this.#left > 0) {
      this.#left -= 1;
      return this.#lastMs;
    }
    const nowMs = this.clock.nowMs();
    if (nowMs !== this.#lastMs) {
      this.#lastMs = nowMs;
      this.#sameReads = 0;
      return nowMs;
    }
    this.#sameReads += 1;
    if (this.#sameReads >= THICK_READS) this.#share();
    return nowMs;
  }

  #share(): void {
    this.#left = READS_PER_TIME;
    if (this.#isForgetting) return;
    this.#isForgetting = true;
    // Runs when the synchronous stretch is over.
    queueMicrotask(() => {
      this.#isForgetting = false;
      const isWorthwhile = this.#left <= READS_PER_TIME - WORTHWHILE_READS;
      this.#left = 0;
      if (!isWorthwhile) this.#sameReads = -READS_PER_TIME;
    });
  }
}
