import type { ResourcePoolEntry } from "@continuum/wire-types";

/** What a pool counts beside its bytes; each figure is 0 where the pool has no such notion. */
export interface PoolCounters {
  readonly entryCount: number;
  readonly pinnedCount: number;
  readonly hitCount: number;
  readonly missCount: number;
  readonly evictionCount: number;
  readonly inflightCount: number;
}

/** The counters of a pool that counts nothing but bytes. */
export const NO_COUNTERS: PoolCounters = {
  entryCount: 0,
  pinnedCount: 0,
  hitCount: 0,
  missCount: 0,
  evictionCount: 0,
  inflightCount: 0,
};

/**
 * One consistent measurement of a pool: every figure comes from the same probe.
 *
 * `capacityBytes: 0` with `detected: false` means "not under management": such a pool is neither alerted nor acted on.
 * `pressure` is `usedBytes / capacityBytes`, never clamped, 0 when the capacity is 0.
 * `inodes` stands beside the bytes where the pool is a filesystem that can run out of them: the higher pressure counts.
 * `reclaimableBytes` is what the pool itself could free now, pins and rules considered; null or absent where unknown.
 * `stale` says that this is an earlier reading, given again because a new one couldn't be had: nothing is evicted on it.
 */
export interface PoolReading {
  readonly atMs: number;
  readonly detected: boolean;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly pressure: number;
  readonly inodes?: InodeUse | null;
  readonly reclaimableBytes?: number | null;
  readonly stale: boolean;
  readonly counters: PoolCounters;
}

/** How many files a filesystem holds, and how many it can. */
export interface InodeUse {
  readonly usedInodes: number;
  readonly capacityInodes: number;
}

/**
 * A request to free at least `wantBytes`, and `wantInodes` where the pool runs out of those; the pool stops as soon as
 * it has, or when `signal` aborts.
 */
export interface EvictionRequest {
  readonly wantBytes: number;
  readonly wantInodes?: number;
  readonly signal: AbortSignal;
}

/** One thing that an eviction deleted, or would have deleted when it was only planning. */
export interface EvictedItem {
  readonly key: string;
  readonly kind: string;
  /** What the pool expected to free with it, in bytes; null when unknown. */
  readonly expectedBytes: number | null;
  readonly reason: string;
}

/** What a pool says it did. The broker measures for itself: `claimedBytes` is kept beside the measured figure. */
export interface EvictionResult {
  readonly claimedBytes: number;
  readonly deleted: readonly EvictedItem[];
  /** Filled instead of `deleted` when eviction is switched off: what would have been deleted. */
  readonly wouldDelete: readonly EvictedItem[];
  /** True when the pool was only asked what it would do: nothing was to be deleted. */
  readonly dryRun: boolean;
  /** Why less than wanted was freed, in one sentence for a person; null when the target was reached. */
  readonly shortfall: string | null;
}

/**
 * A tier with a capacity and a lever: Docker's disk, VRAM, a model cache.
 *
 * Implementations throw `PoolError` for what can go wrong outside; the broker contains every throw.
 */
export interface ResourcePool {
  readonly name: string;
  /** Measures capacity, usage and pressure of one moment. */
  read(signal: AbortSignal): Promise<PoolReading>;
  /** The pool's entries, largest first; may be slow, is never called on a tick. */
  entries(signal: AbortSignal): Promise<readonly ResourcePoolEntry[]>;
  /** Frees at least `wantBytes` if it safely can, least valuable first. */
  evict(request: EvictionRequest): Promise<EvictionResult>;
}
