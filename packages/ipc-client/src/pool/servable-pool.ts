/** A pool's figures of one moment, bytes in whole numbers. */
export interface ServedReading {
  readonly usedBytes: number;
  /** 0 while there is nothing to be managed. */
  readonly capacityBytes: number;
  /** The most that it could free now; null or absent where unknown. */
  readonly reclaimableBytes?: number | null;
  /** True for an earlier reading, given again: it isn't reported. */
  readonly stale?: boolean;
  readonly counters: {
    readonly entryCount: number;
    readonly pinnedCount: number;
    readonly hitCount: number;
    readonly missCount: number;
    readonly evictionCount: number;
    readonly inflightCount: number;
  };
}

/** A pool that a core can be asked to relieve. Every `ResourcePool` of `@continuum/broker-core` is one. */
export interface ServablePool {
  /** 1 to 64 of a-z, 0-9, dot, dash, underscore, the first a letter or digit. */
  readonly name: string;
  read(signal: AbortSignal): Promise<ServedReading>;
  /** Frees at least `wantBytes` if it can, least valuable first; gives what it freed, and why it was less. */
  evict(request: {
    readonly wantBytes: number;
    readonly signal: AbortSignal;
  }): Promise<{ readonly claimedBytes: number; readonly shortfall: string | null }>;
}
