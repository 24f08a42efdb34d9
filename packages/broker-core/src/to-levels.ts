import type { FillSample } from "./forecast-fill.js";

/**
 * Readings from index `from` on, those of equal spans of time put together to their mean time and level: at most `count`
 * levels, fewer where nothing was read for a while. Noise averages out within one, growth doesn't.
 */
export function toLevels(samples: readonly FillSample[], from: number, count: number): readonly FillSample[] {
  const [first, last] = [samples[from], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length - from <= count) return samples.slice(from);
  const levelMs = (last.monotonicMs - first.monotonicMs) / count;
  const levels: FillSample[] = [];
  let [current, readings, ms, pressure] = [0, 0, 0, 0];
  const close = (): void => {
    if (readings > 0) levels.push({ monotonicMs: ms / readings, pressure: pressure / readings });
    [readings, ms, pressure] = [0, 0, 0];
  };
  for (let i = from; i < samples.length; i += 1) {
    const sample = samples[i] ?? last;
    const its = Math.min(count - 1, Math.floor((sample.monotonicMs - first.monotonicMs) / levelMs));
    if (its !== current) close();
    current = its;
    readings += 1;
    ms += sample.monotonicMs;
    pressure += sample.pressure;
  }
  close();
  return levels;
}
