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

/** From the finest to the coarsest. */
export const RESOLUTIONS: readonly Resolution[] = ["raw", "minute", "hour"];

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

const DAY_MS = 86_400_000;

/** How long readings are kept, by resolution, in ms: a day, a month, two years. */
export const KEPT_MS: Readonly<Record<Resolution, number>> = {
  raw: DAY_MS,
  minute: 31 * DAY_MS,
  hour: 730 * DAY_MS,
};

/** What is kept in any case, however full the file is. */
const LEAST_KEPT_MS: Readonly<Record<Resolution, number>> = {
  raw: 3_600_000,
  minute: DAY_MS,
  hour: 31 * DAY_MS,
};

/** From this share of its bound on the file is so full that readings are kept shorter. */
const FULL_FROM = 0.9;

/**
 * How long readings are kept in a file that holds such a share of what it may. Below nine tenths in full; from there on
 * down to the least, so that pools in great number shorten the past rather than fill a disk.
 */
export function keptMs(resolution: Resolution, fill: number): number {
  const room = Math.min(1, Math.max(0, (1 - fill) / (1 - FULL_FROM)));
  const least = LEAST_KEPT_MS[resolution];
  return Math.round(least + room * (KEPT_MS[resolution] - least));
}

/** How long a point lasts, in ms. */
export const POINT_MS: Readonly<Record<Resolution, number>> = { raw: 1, minute: 60_000, hour: 3_600_000 };

/** Pools whose readings are kept, at most. */
export const MAX_KEPT_POOLS = 128;

/** A pool that has had no reading for so long gives its place to a new one, in ms. */
export const FORGET_POOL_MS = DAY_MS;
