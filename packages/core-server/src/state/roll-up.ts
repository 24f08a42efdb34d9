import type { PressureHistoryPoint } from "@continuum/wire-types";
import { type KeptReading, POINT_MS, type Resolution } from "./record-store.js";

/** Readings of one pool within one point of a series, added up. */
export interface RollUp {
  readonly pool: string;
  /** The beginning of the point, Unix milliseconds. */
  readonly atMs: number;
  readonly samples: number;
  readonly usedSum: number;
  /** As of the last reading. */
  readonly capacityBytes: number;
  readonly pressureSum: number;
  readonly minPressure: number;
  readonly maxPressure: number;
}

/** When the point begins that a time belongs to. */
function startOfPoint(atMs: number, resolution: Resolution): number {
  return Math.floor(atMs / POINT_MS[resolution]) * POINT_MS[resolution];
}

/** Adds readings up, by pool and point; in the order in which each first comes. */
export function rollUp(readings: readonly KeptReading[], resolution: Resolution): readonly RollUp[] {
  const byPool = new Map<string, Map<number, RollUp>>();
  for (const reading of readings) {
    const atMs = startOfPoint(reading.atMs, resolution);
    const points = byPool.get(reading.pool) ?? new Map<number, RollUp>();
    byPool.set(reading.pool, points.set(atMs, add(points.get(atMs), reading, atMs)));
  }
  return [...byPool.values()].flatMap((points) => [...points.values()]);
}

/** A point of a series as clients see it. */
export function toPoint(sum: Omit<RollUp, "pool">): PressureHistoryPoint {
  const { atMs, samples, usedSum, capacityBytes, pressureSum, minPressure, maxPressure } = sum;
  return {
    atMs,
    usedBytes: Math.round(usedSum / samples),
    capacityBytes,
    pressure: pressureSum / samples,
    minPressure,
    maxPressure,
    samples,
  };
}

function add(
  sum: RollUp | undefined,
  { pool, usedBytes, capacityBytes, pressure }: KeptReading,
  atMs: number,
): RollUp {
  return {
    pool,
    atMs,
    samples: (sum?.samples ?? 0) + 1,
    usedSum: (sum?.usedSum ?? 0) + usedBytes,
    capacityBytes,
    pressureSum: (sum?.pressureSum ?? 0) + pressure,
    minPressure: Math.min(sum?.minPressure ?? Infinity, pressure),
    maxPressure: Math.max(sum?.maxPressure ?? -Infinity, pressure),
  };
}
