import { type FillSample, forecastFill } from "@continuum/broker-core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FillTrace, noiseTraces, steadyTraces, type TracePoint } from "./fill-traces.js";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
/** What a core remembers of a pool. */
const KEPT_MS = 1_800_000;

/** Says in how many ms a pool is full, or null. */
type Forecaster = (samples: readonly FillSample[]) => number | null;

const forecasters: Readonly<Record<string, Forecaster>> = {
  continuum: (samples) => forecastFill(samples).timeToFullMs,
  "least squares over 30 min": leastSquares,
  "last two readings": (samples) => slopeToFull(samples.slice(-2)),
};

interface Score {
  errors: number[];
  /** Readings of the steady part. */
  asked: number;
  /** Readings at which a forecast was made and none should have been. */
  wrong: number;
}

/** The table of `npm run bench -- forecast`: error on fills, false forecasts on what isn't one. */
export function benchForecast(): string {
  const traces = SEEDS.flatMap((seed) => [...steadyTraces(seed), ...noiseTraces(seed)]).concat(
    recordedTraces(),
  );
  const scores = new Map<string, Map<string, Score>>();
  for (const trace of traces) {
    const row = scores.get(trace.name) ?? new Map<string, Score>();
    scores.set(trace.name, row);
    for (const [name, forecast] of Object.entries(forecasters)) {
      const score = row.get(name) ?? { errors: [], asked: 0, wrong: 0 };
      row.set(name, score);
      play(trace, forecast, score);
    }
  }
  const lines = [
    `${"trace".padEnd(40)}  forecaster                 forecast  median error  p95 error  worst`,
  ];
  for (const [trace, row] of scores) {
    for (const [name, { errors, asked, wrong }] of row) {
      const isFill =
        errors.length > 0 || traces.some((each) => each.name === trace && each.fullAtMs !== null);
      const share = isFill ? errors.length / asked : wrong / asked;
      const cells = isFill
        ? [percent(quantile(errors, 0.5)), percent(quantile(errors, 0.95)), percent(Math.max(...errors))]
        : ["none should be made"];
      lines.push(
        `${trace.padEnd(40)}  ${name.padEnd(26)} ${percent(share).padStart(8)}  ${cells.map((cell) => cell.padStart(10)).join("  ")}`,
      );
    }
  }
  return lines.join("\n");
}

function play({ points, fullAtMs, steadyFromMs }: FillTrace, forecast: Forecaster, score: Score): void {
  let first = 0;
  for (const [i, point] of points.entries()) {
    while ((points[first]?.atMs ?? 0) < point.atMs - KEPT_MS) first += 1;
    const samples = points.slice(first, i + 1).map(toSample);
    const isSteady = point.atMs >= steadyFromMs;
    // The last minute before a fill isn't measured: an error of a second is a large share of it.
    if (fullAtMs !== null && (!isSteady || fullAtMs - point.atMs < 60_000)) continue;
    score.asked += 1;
    const timeToFullMs = forecast(samples);
    if (timeToFullMs === null) continue;
    if (fullAtMs === null) score.wrong += 1;
    else score.errors.push(Math.abs(timeToFullMs - (fullAtMs - point.atMs)) / (fullAtMs - point.atMs));
  }
}

function toSample({ atMs, pressure }: TracePoint): FillSample {
  return { monotonicMs: atMs, pressure };
}

function slopeToFull(samples: readonly FillSample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return null;
  const perMs = (last.pressure - first.pressure) / (last.monotonicMs - first.monotonicMs);
  return perMs > 0 ? (1 - last.pressure) / perMs : null;
}

function leastSquares(samples: readonly FillSample[]): number | null {
  const count = samples.length;
  const last = samples.at(-1);
  if (count < 3 || last === undefined) return null;
  const meanMs = samples.reduce((sum, { monotonicMs }) => sum + monotonicMs, 0) / count;
  const mean = samples.reduce((sum, { pressure }) => sum + pressure, 0) / count;
  let [products, squares] = [0, 0];
  for (const { monotonicMs, pressure } of samples) {
    products += (monotonicMs - meanMs) * (pressure - mean);
    squares += (monotonicMs - meanMs) ** 2;
  }
  return products > 0 ? (1 - last.pressure) / (products / squares) : null;
}

/** Fills that were recorded on a real disk; see their file. */
function recordedTraces(): readonly FillTrace[] {
  const path = join(import.meta.dirname, "traces/recorded-fills.json");
  const recorded = JSON.parse(readFileSync(path, "utf8")) as readonly (Omit<FillTrace, "points"> & {
    readonly points: readonly (readonly [number, number])[];
  })[];
  return recorded.map(({ points, ...rest }) => ({
    ...rest,
    points: points.map(([atMs, pressure]) => ({ atMs, pressure })),
  }));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function percent(ratio: number): string {
  return Number.isFinite(ratio) ? `${(ratio * 100).toFixed(1)} %` : "–";
}
