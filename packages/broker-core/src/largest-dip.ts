import type { FillSample } from "./forecast-fill.js";

/** How far a level fell back, and from where. */
export interface Dip {
  readonly depth: number;
  readonly peak: number;
}

/** The deepest fall of a series from a level that it had reached before, in however many readings. */
export function largestDip(samples: readonly FillSample[]): Dip {
  let [depth, peak, high] = [0, 0, -Infinity];
  for (const { pressure } of samples) {
    high = Math.max(high, pressure);
    if (high - pressure > depth) [depth, peak] = [high - pressure, high];
  }
  return { depth, peak };
}
