import type { FillSample } from "./forecast-fill.js";
import { quantile } from "./quantile.js";

/** A fall by more than this share of the capacity is a relief, not noise. */
const FALL = 0.02;
/** And by more than so many usual steps. */
const STEPS = 6;
/** A fall is over when so many readings are no lower. */
const OVER = 16;

/** One fall of a series, by the indices of its peak and of its lowest reading. */
export interface Fall {
  readonly peakAt: number;
  readonly lowAt: number;
}

/** Where readings have risen since the last time that they fell. */
export interface SinceFall {
  /** The index of the lowest reading after the last fall, or of its highest while it lasts; 0 when there was none. */
  readonly start: number;
  readonly falls: readonly Fall[];
}

/** Finds the falls of a series: each from a peak by more than noise, however many readings it takes. */
export function sinceLastFall(samples: readonly FillSample[]): SinceFall {
  const steps = new Float64Array(Math.max(0, samples.length - 1));
  for (let i = 1; i < samples.length; i += 1)
    steps[i - 1] = Math.abs((samples[i]?.pressure ?? 0) - (samples[i - 1]?.pressure ?? 0));
  const margin = Math.max(FALL, STEPS * quantile(steps, 0.5));
  const falls: Fall[] = [];
  let isFalling = false;
  let high = -Infinity;
  let low = Infinity;
  let highAt = 0;
  let lowAt = 0;
  for (let i = 0; i < samples.length; i += 1) {
    const pressure = samples[i]?.pressure ?? 0;
    if (isFalling) {
      if (pressure <= low) {
        low = pressure;
        lowAt = i;
      } else if (pressure - low > margin) {
        falls.push({ peakAt: highAt, lowAt });
        isFalling = false;
        high = pressure;
        highAt = i;
      }
    } else if (high - pressure > margin) {
      isFalling = true;
      low = pressure;
      lowAt = i;
    } else if (pressure > high) {
      high = pressure;
      highAt = i;
    }
  }
  if (isFalling) falls.push({ peakAt: highAt, lowAt });
  const lasts = isFalling && samples.length - lowAt < OVER;
  return { start: lasts ? highAt : lowAt, falls };
}
