import type { FillSample } from "./forecast-fill.js";
import { quantile } from "./quantile.js";

/** A burst is so many times as large as all but a twentieth of the steps. */
const BURST = 3;
const USUAL = 0.95;
/** A burst may take so many readings. */
const LONGEST = 3;
/** What happened in a step of so many times the usual time is unknown: it is no burst. */
const GAP = 6;

/**
 * The series with its one burst taken out: a jump far beyond every other step isn't how the pool fills. What came before
 * is lifted to the level after it. Where there are several, that is how it fills, and they stay.
 */
export function withoutBurst(samples: readonly FillSample[]): readonly FillSample[] {
  const times = new Float64Array(Math.max(0, samples.length - 1));
  const changes = times.slice();
  for (let i = 1; i < samples.length; i += 1) {
    const [before, after] = [samples[i - 1], samples[i]];
    if (before === undefined || after === undefined) continue;
    times[i - 1] = after.monotonicMs - before.monotonicMs;
    changes[i - 1] = after.pressure - before.pressure;
  }
  const usualMs = quantile(times, 0.5);
  const perMs = quantile(
    changes.map((change, i) => change / (times[i] ?? 1)),
    0.5,
  );
  const strays = changes.map((change, i) => Math.abs(change - perMs * (times[i] ?? 0)));
  const limit = BURST * Math.max(quantile(strays, USUAL), Math.abs(perMs) * usualMs);
  const jumps: number[] = [];
  for (const [i, stray] of strays.entries())
    if (stray > limit && (times[i] ?? 0) <= GAP * usualMs) jumps.push(i);
  const [first, last] = [jumps[0], jumps.at(-1)];
  if (first === undefined || last === undefined || last - first >= LONGEST) return samples;
  // It went on meanwhile as it usually does.
  const [before, after] = [samples[first], samples[last + 1]];
  if (before === undefined || after === undefined) return samples;
  const usual = (ms: number): number => after.pressure - perMs * (after.monotonicMs - ms);
  const height = usual(before.monotonicMs) - before.pressure;
  return samples.map((sample, i) => {
    if (i > last) return sample;
    return { ...sample, pressure: i > first ? usual(sample.monotonicMs) : sample.pressure + height };
  });
}
