/** The first step of the scale, in ms; each one is twice the one before. */
const FIRST_MS = 0.01;
/** The last one is beyond a minute. */
const STEPS = 24;

/** Durations, counted on a scale of doublings: bounded, and exact enough to tell slow from fast. */
export class DurationHistogram {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;

  add(ms: number): void {
    const step = Math.max(0, Math.ceil(Math.log2(ms / FIRST_MS)));
    const index = Math.min(STEPS - 1, Number.isFinite(step) ? step : 0);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  /** The step of the scale that so large a share of the durations doesn't exceed, in ms; null when there are none. */
  quantileMs(share: number): number | null {
    if (this.#total === 0) return null;
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= share * this.#total) return FIRST_MS * 2 ** index;
    }
    return FIRST_MS * 2 ** (STEPS - 1);
  }
}
