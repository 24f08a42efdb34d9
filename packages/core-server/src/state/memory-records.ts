import type { PressureHistoryPoint } from "@continuum/wire-types";
import {
  FORGET_POOL_MS,
  type KeptReading,
  MAX_KEPT_POOLS,
  type RecordBatch,
  type RecordStore,
  type SeriesQuery,
} from "./record-store.js";
import { rollUp, toPoint } from "./roll-up.js";

/** Readings of a pool that are remembered: half a day at the usual tick. */
const KEPT_READINGS = 8_640;
/** Readings of all pools together: some 20 MB. */
const KEPT_IN_ALL = 131_072;

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
    return (
      rollUp(this.#readings.get(pool) ?? [], resolution)
        .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
        // The clock may have been set back in between.
        .sort((a, b) => a.atMs - b.atMs)
        .slice(-limit)
        .map(toPoint)
    );
  }

  /** Everything, to be written elsewhere. */
  all(): RecordBatch {
    return { documents: new Map(this.#documents), readings: [...this.#readings.values()].flat() };
  }

  #add(reading: KeptReading): boolean {
    let kept = this.#readings.get(reading.pool);
    if (kept === undefined) {
      if (this.#readings.size >= MAX_KEPT_POOLS && !this.#forgetOne(reading.atMs)) return false;
      this.#readings.set(reading.pool, (kept = []));
    }
    kept.push(reading);
    const most = Math.min(KEPT_READINGS, Math.floor(KEPT_IN_ALL / this.#readings.size));
    // Cut now and then: each reading is moved a bounded number of times.
    if (kept.length > 2 * most) kept.splice(0, kept.length - most);
    return true;
  }

  /** Gives up the pool that was heard of least recently, if that is long enough ago. */
  #forgetOne(nowMs: number): boolean {
    const oldest = [...this.#readings]
      .map(([pool, kept]) => ({ pool, atMs: kept.at(-1)?.atMs ?? 0 }))
      .reduce((a, b) => (b.atMs < a.atMs ? b : a));
    return nowMs - oldest.atMs >= FORGET_POOL_MS && this.#readings.delete(oldest.pool);
  }
}
