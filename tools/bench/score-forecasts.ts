import type { FillSample } from "@continuum/broker-core";
import type { FillTrace } from "./fill-traces.js";

/** Says in how many ms a pool is full, or null. */
export type Forecaster = (samples: readonly FillSample[]) => number | null;

/** How a forecaster did on the steady part of traces. */
export interface ForecastScore {
  /** Readings after which it was asked. */
  readonly asked: number;
  /** Readings after which it forecast. */
  readonly made: number;
  /** Of each forecast of a fill, as a share of the true time; of a minute at least, so that the last seconds count too. */
  readonly errors: readonly number[];
}

/** What a core remembers of a pool. */
const KEPT_MS = 1_800_000;
const SHORTEST_MS = 60_000;

/** Plays traces of one kind to a forecaster, reading by reading, and asks it after every `askEvery`th of them. */
export function scoreForecasts(
  traces: readonly FillTrace[],
  forecast: Forecaster,
  askEvery: number,
): ForecastScore {
  const errors: number[] = [];
  let [asked, made] = [0, 0];
  for (const { points, fullAtMs, steadyFromMs } of traces) {
    const samples = points.map(({ atMs, pressure }) => ({ monotonicMs: atMs, pressure }));
    let first = 0;
    for (const [i, { atMs }] of points.entries()) {
      while ((points[first]?.atMs ?? 0) < atMs - KEPT_MS) first += 1;
      if (atMs < steadyFromMs || i % askEvery !== 0) continue;
      asked += 1;
      const timeToFullMs = forecast(samples.slice(first, i + 1));
      if (timeToFullMs === null) continue;
      made += 1;
      if (fullAtMs === null) continue;
      const trueMs = fullAtMs - atMs;
      errors.push(Math.abs(timeToFullMs - trueMs) / Math.max(trueMs, SHORTEST_MS));
    }
  }
  return { asked, made, errors };
}

/** The value below which this share of the values is; NaN of none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
