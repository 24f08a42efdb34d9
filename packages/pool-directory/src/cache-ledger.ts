/** One thing that was deleted from a cache, for good. */
export interface CacheEvictionRecord {
  /** Unique for the deletion: one that a kill cut short may be told of twice. */
  readonly id: string;
  readonly pool: string;
  readonly key: string;
  readonly kind: string;
  /** Absolute: where it was. */
  readonly path: string;
  /** Allocated bytes that it was expected to free. */
  readonly bytes: number;
  readonly reason: string;
  readonly atMs: number;
  /** The command that brings it back; null where there is none. */
  readonly restore: string | null;
}

/** Where deletions are written down. A throw is reported, and ends nothing. */
export interface CacheLedger {
  append(record: CacheEvictionRecord): void | Promise<void>;
}
