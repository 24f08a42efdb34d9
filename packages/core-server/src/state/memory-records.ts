import type { PressureHistoryPoint } from "@continuum/wire-types";
import {
  type KeptReading,
  MAX_KEPT_POOLS,
  POINT_MS,
  type RecordBatch,
  type RecordStore,
  type SeriesQuery,
} from "./record-store.js";

/** Readings of a pool that are remembered: half a day at the usual tick. */
const KEPT_READINGS = 8_640;

/** Documents and readings where no file can be had: bounded, and gone with the core. */
export class MemoryRecords implements RecordStore {
  readonly #documents = new Map<string, unknown>();
  readonly #readings = new Map<string, KeptReading[]>();

  documents(namespace: string): ReadonlyMap<string, unknown> {
    const prefix = `${namespace}/`;
    const own = [...this.#documents].filter(([name]) => name.startsWith(prefix));
    return new Map(own.map(([name, value]) => [name.slice(prefix.length), value]));
  }

  write({ documents, readings }: RecordBatch): { readonly droppedReadings: number } {
    for (const [name, value] of documents) {
      if (value === null) this.#documents.delete(name);
      else this.#documents.set(name, value);
    }
    return { droppedReadings: readings.filter((reading) => !this.#add(reading)).length };
  }

  series({ pool, resolution, fromMs, toMs, limit }: SeriesQuery): readonly PressureHistoryPoint[] {
    const stepMs = POINT_MS[resolution];
    const points = new Map<number, PressureHistoryPoint>();
    for (const reading of this.#readings.get(pool) ?? []) {
      const atMs = Math.floor(reading.atMs / stepMs) * stepMs;
      if (atMs < fromMs || atMs >= toMs) continue;
      points.set(atMs, merge(points.get(atMs), reading, atMs));
    }
    return [...points.values()].slice(-limit);
  }

  /** Everything, to be written elsewhere. */
  all(): RecordBatch {
    return { documents: new Map(this.#documents), readings: [...this.#readings.values()].flat() };
  }

  #add(reading: KeptReading): boolean {
    const kept = this.#readings.get(reading.pool);
    if (kept === undefined) {
      if (this.#readings.size >= MAX_KEPT_POOLS) return false;
      this.#readings.set(reading.pool, [reading]);
      return true;
    }
    kept.push(reading);
    // Cut now and then: each reading is moved a bounded number of times.
    if (kept.length > 2 * KEPT_READINGS) kept.splice(0, kept.length - KEPT_READINGS);
    return true;
  }
}

function merge(
  point: PressureHistoryPoint | undefined,
  { usedBytes, capacityBytes, pressure }: KeptReading,
  atMs: number,
): PressureHistoryPoint {
  if (point === undefined) {
    return {
      atMs,
      usedBytes,
      capacityBytes,
      pressure,
      minPressure: pressure,
      maxPressure: pressure,
      samples: 1,
    };
  }
  const samples = point.samples + 1;
  return {
    atMs,
    usedBytes: Math.round(point.usedBytes + (usedBytes - point.usedBytes) / samples),
    capacityBytes,
    pressure: point.pressure + (pressure - point.pressure) / samples,
    minPressure: Math.min(point.minPressure, pressure),
    maxPressure: Math.max(point.maxPressure, pressure),
    samples,
  };
}
