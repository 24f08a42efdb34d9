import type { CacheEvictionRecord } from "@continuum/wire-types";

/** What is written down of a deletion; the ledger numbers its lines itself. */
export type CacheDeletion = Omit<CacheEvictionRecord, "sequence">;

/** Where deletions are written down. A throw is reported, and ends nothing. */
export interface CacheLedger {
  /** Durable when it returns, or resolves, where the ledger is. */
  append(deletion: CacheDeletion): unknown;
}
