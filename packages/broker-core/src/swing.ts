import type { FillSample } from "./forecast-fill.js";
import { quantile } from "./quantile.js";

/** Single steps are looked at in so many readings. */
const LATE = 64;
/** So many of their lumps may still be to come. */
const LUMPS = 1.3;
/** Nine tenths of the differences of two readings that tremble are below so many standard deviations of one. */
const TREMBLING_LUMP = 1.645 * Math.SQRT2;
/** A dip of readings that tremble is so many of them deep. */
const TREMBLING_DIP = 6;
/** What differs by less than that is rounding. */
const ROUNDING = 1e-9;

/**
 * How far a level may be from where its line goes, whatever its rate: half a dip, a lump and some, or what lies between
 * two readings; but for what readings tremble, `trembling` being the variance of one.
 */
export function swingOf(
  samples: readonly FillSample[],
  dip: number,
  perMs: number,
  trembling: number,
): number {
  const lump = Math.sqrt(Math.max(0, lumpOf(samples, perMs) ** 2 - TREMBLING_LUMP ** 2 * trembling));
  const half = (dip - TREMBLING_DIP * Math.sqrt(trembling)) / 2;
  return Math.max(half, LUMPS * lump, grainOf(samples));
}

/** The least by which steps differ: what lies between two readings is not seen. 0 where all are alike. */
export function grainOf(samples: readonly FillSample[]): number {
  let [grain, before] = [Infinity, 0];
  for (let i = 1; i < samples.length; i += 1) {
    const step = (samples[i]?.pressure ?? 0) - (samples[i - 1]?.pressure ?? 0);
    const differs = Math.abs(step - before);
    if (i > 1 && differs > ROUNDING && differs < grain) grain = differs;
    before = step;
  }
  return grain < Infinity ? grain : 0;
}

/** How far single steps of late stray from a rate; all but a tenth of them. */
function lumpOf(samples: readonly FillSample[], perMs: number): number {
  const late = samples.slice(-LATE);
  const stray = late.slice(1).map(({ monotonicMs, pressure }, i) => {
    const before = late[i];
    if (before === undefined) return 0;
    return Math.abs(pressure - before.pressure - perMs * (monotonicMs - before.monotonicMs));
  });
  return quantile(stray, 0.9);
}
