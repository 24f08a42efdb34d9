import type { PressureHistoryPoint } from "@continuum/wire-types";

/** A pool's reading as it is kept. */
export interface KeptReading {
  readonly pool: string;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  /** The pressure that decides. */
  readonly pressure: number;
}

/** Everything that is to be written at once. */
export interface RecordBatch {
  /** JSON values by `namespace/key`; null removes one. */
  readonly documents: ReadonlyMap<string, unknown>;
  readonly readings: readonly KeptReading[];
}

/** What a point of a series stands for. */
export type Resolution = "raw" | "minute" | "hour";

/** Which points are asked for: of `fromMs` to before `toMs`, the newest `limit`. */
export interface SeriesQuery {
  readonly pool: string;
  readonly resolution: Resolution;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/** Keeps small documents and the readings of pools. */
export interface RecordStore {
  /** Documents of a namespace by key; what can't be read any more is left out. */
  documents(namespace: string): ReadonlyMap<string, unknown>;
  /**
   * Writes all or nothing; durable when it returns. Readings alone are left out where space is short: then it gives
   * how many. Throws a PoolError `noSpace` or `failed`.
   */
  write(batch: RecordBatch): { readonly droppedReadings: number };
  /** Points of a series, oldest first. */
  series(query: SeriesQuery): readonly PressureHistoryPoint[];
}

/** How long readings are kept, by resolution, in ms: a day, a month, two years. */
export const KEPT_MS: Readonly<Record<Resolution, number>> = {
  raw: 86_400_000,
  minute: 31 * 86_400_000,
  hour: 730 * 86_400_000,
};

/** How long a point lasts, in ms. */
export const POINT_MS: Readonly<Record<Resolution, number>> = { raw: 1, minute: 60_000, hour: 3_600_000 };

/** Pools whose readings are kept, at most. */
export const MAX_KEPT_POOLS = 128;
