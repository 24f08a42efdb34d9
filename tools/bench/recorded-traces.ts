import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FillTrace } from "./fill-traces.js";

/** A fill that `tools/record-fill.ts` recorded on a real ext4, a reading a second. */
export interface RecordedTrace extends FillTrace {
  /** Whether the estimator was built while looking at it, or only shown it once at the end. */
  readonly seen: boolean;
}

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
    const points = pairs.map(([atMs, pressure]) => ({ atMs, pressure, level: pressure }));
    return { ...rest, points, looksFromMs: 0 };
  });
}
