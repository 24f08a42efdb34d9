import type { CacheDeletion } from "@continuum/pool-directory";
import type { CacheEvictionRecord } from "@continuum/wire-types";

/** Which lines are asked for: the newest `limit` before a line, of one pool or of all. */
export interface CacheLedgerQuery {
  readonly limit: number;
  readonly beforeSequence?: number | undefined;
  readonly pool?: string | undefined;
}

/** What was deleted from cache directories, and what brings it back: only ever added to. */
export interface CacheLedgerStore {
  /** Durable when it returns, where the store is; gives the line's sequence. Throws a PoolError when it can't be written. */
  appendDeletion(deletion: CacheDeletion): number;
  /** Newest first. */
  deletions(query: CacheLedgerQuery): readonly CacheEvictionRecord[];
}

/** Lines that the ledger of cache directories keeps; the oldest go. */
export const CACHE_LEDGER_LINES = 10_000;

/** A ledger of cache directories that ends with its process. */
export class MemoryCacheLedger implements CacheLedgerStore {
  #records: CacheEvictionRecord[] = [];
  #sequence = 0;

  appendDeletion(deletion: CacheDeletion): number {
    this.#sequence += 1;
    this.#records.push({ ...deletion, sequence: this.#sequence });
    if (this.#records.length > CACHE_LEDGER_LINES * 1.1)
      this.#records = this.#records.slice(-CACHE_LEDGER_LINES);
    return this.#sequence;
  }

  deletions({ limit, beforeSequence = Infinity, pool }: CacheLedgerQuery): readonly CacheEvictionRecord[] {
    return this.#records
      .filter((record) => record.sequence < beforeSequence && (pool === undefined || record.pool === pool))
      .slice(-limit)
      .reverse();
  }
}
