import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FillTrace, TracePoint } from "./fill-traces.js";

/** A fill that `tools/record-fill.ts` recorded on a real ext4, a reading a second. */
export interface RecordedTrace extends FillTrace {
  /** How far the rate of one minute strays from the mean rate, as a share of it: a steady fill has little. */
  readonly unsteadiness: number;
  /** Whether the estimator was built while looking at it, or only shown it once at the end. */
  readonly seen: boolean;
}

/** A minute after it began, as these are full within ten. */
const STEADY_FROM_MS = 60_000;

/** Readings of a minute. */
const MINUTE = 60;

/** All fills that were recorded. */
export function recordedTraces(): readonly RecordedTrace[] {
  const path = join(import.meta.dirname, "traces/recorded-fills.json");
  const recorded = JSON.parse(readFileSync(path, "utf8")) as readonly {
    readonly name: string;
    readonly seen: boolean;
    readonly fullAtMs: number;
    readonly points: readonly (readonly [number, number])[];
  }[];
  return recorded.map(({ points: pairs, ...rest }) => {
    const points = pairs.map(([atMs, pressure]) => ({ atMs, pressure }));
    return { ...rest, points, steadyFromMs: STEADY_FROM_MS, unsteadiness: unsteadinessOf(points) };
  });
}

function unsteadinessOf(points: readonly TracePoint[]): number {
  const growths: number[] = [];
  for (let i = 0; i + MINUTE < points.length; i += MINUTE) {
    growths.push((points[i + MINUTE]?.pressure ?? 0) - (points[i]?.pressure ?? 0));
  }
  const mean = growths.reduce((sum, growth) => sum + growth, 0) / growths.length;
  const variance = growths.reduce((sum, growth) => sum + (growth - mean) ** 2, 0) / (growths.length - 1);
  return Math.sqrt(variance) / mean;
}
