import type { FillSample } from "@continuum/broker-core";
import type { FillTrace } from "./fill-traces.js";
import { steadyReadings } from "./steady-readings.js";

/** Says in how many ms a pool is full, or null. */
export type Forecaster = (samples: readonly FillSample[]) => number | null;

/** How a forecaster did on some of the readings of traces. */
export interface ReadingsScore {
  /** Readings after which it was asked. */
  readonly asked: number;
  /** Readings after which it forecast. */
  readonly made: number;
  /** Of each forecast of a fill, as a share of the true time; of ten seconds at least, so that the last ones count too. */
  readonly errors: readonly number[];
}

/** How a forecaster did on traces. */
export interface ForecastScore {
  /** Where the fill is steady, by what is true of it. */
  readonly steady: ReadingsScore;
  /** Where it isn't, or where there is no fill. */
  readonly other: ReadingsScore;
  /** Of each trace that has steady readings: how many of them had gone by at the first forecast, all where it was never made. */
  readonly silentReadings: readonly number[];
}

/** What a core remembers of a pool. */
const KEPT_MS = 3_600_000;
const SHORTEST_MS = 10_000;

/** Plays traces of one kind to a forecaster, reading by reading, and asks it after every `askEvery`th of them. */
export function scoreForecasts(
  traces: readonly FillTrace[],
  forecast: Forecaster,
  askEvery: number,
): ForecastScore {
  const steady = { asked: 0, made: 0, errors: [] as number[] };
  const other = { asked: 0, made: 0, errors: [] as number[] };
  const silentReadings: number[] = [];
  for (const trace of traces) {
    const { points, fullAtMs, looksFromMs } = trace;
    const samples = points.map(({ atMs, pressure }) => ({ monotonicMs: atMs, pressure }));
    const isSteady = steadyReadings(trace);
    let [first, steadyBefore, isSilent] = [0, 0, true];
    for (const [i, { atMs }] of points.entries()) {
      while ((points[first]?.atMs ?? 0) < atMs - KEPT_MS) first += 1;
      const its = isSteady[i] === true;
      if (its && isSilent) steadyBefore += 1;
      // From one reading to the next while the first forecast is awaited: when it comes is a figure of its own.
      if (atMs < looksFromMs || (i % askEvery !== 0 && !(its && isSilent))) continue;
      const timeToFullMs = forecast(samples.slice(first, i + 1));
      if (its && timeToFullMs !== null) isSilent = false;
      if (i % askEvery !== 0) continue;
      const score = its ? steady : other;
      score.asked += 1;
      if (timeToFullMs === null) continue;
      score.made += 1;
      if (fullAtMs === null) continue;
      const trueMs = fullAtMs - atMs;
      score.errors.push(Math.abs(timeToFullMs - trueMs) / Math.max(trueMs, SHORTEST_MS));
    }
    if (isSteady.includes(true)) silentReadings.push(steadyBefore);
  }
  return { steady, other, silentReadings };
}

/** The value below which this share of the values is; NaN of none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
