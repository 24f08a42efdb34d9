/** One line of the ledger of evictions. */
export interface LedgerEntry {
  /** Later lines have higher ones. */
  readonly sequence: number;
  readonly atMs: number;
  /** The eviction, or the undo, that it belongs to. */
  readonly evictionId: string;
  readonly planId: string | null;
  readonly cause: "pressure" | "plan" | "undo";
  readonly policy: string;
  readonly kind: "image" | "container" | "buildCache";
  readonly id: string;
  readonly name: string;
  /** The tags that it had. */
  readonly references: readonly string[];
  /** The references with a digest that it had. */
  readonly digests: readonly string[];
  readonly rule: string;
  readonly reason: string;
  /** `intended` stands before each deletion, so that a crash between both leaves a trace. */
  readonly outcome: "intended" | "deleted" | "kept" | "failed" | "restored";
  readonly detail: string | null;
  readonly claimedBytes: number | null;
  readonly measuredBytes: number | null;
  /** What pulls it back; null when nothing does. */
  readonly restoreReference: string | null;
}

/** What was deleted, why, and how it comes back: only ever added to. */
export interface EvictionLedger {
  /** Durable when it returns, where the ledger is; gives the line's sequence. Throws a PoolError when it can't be written. */
  append(entry: Omit<LedgerEntry, "sequence">): number;
  /** Newest first. */
  page(options: { readonly beforeSequence?: number; readonly limit: number }): readonly LedgerEntry[];
  byEviction(evictionId: string): readonly LedgerEntry[];
  /** All lines about one thing, by its exact id. */
  byImage(id: string): readonly LedgerEntry[];
}

/** Lines that a ledger keeps; the oldest go. */
export const LEDGER_LINES = 10_000;

/** A ledger that ends with its process. */
export class MemoryLedger implements EvictionLedger {
  #entries: LedgerEntry[] = [];
  #sequence = 0;

  append(entry: Omit<LedgerEntry, "sequence">): number {
    this.#sequence += 1;
    this.#entries.push({ ...entry, sequence: this.#sequence });
    if (this.#entries.length > LEDGER_LINES * 1.1) this.#entries = this.#entries.slice(-LEDGER_LINES);
    return this.#sequence;
  }

  page({
    beforeSequence = Number.MAX_SAFE_INTEGER,
    limit,
  }: Parameters<EvictionLedger["page"]>[0]): readonly LedgerEntry[] {
    return this.#entries
      .filter(({ sequence }) => sequence < beforeSequence)
      .slice(-limit)
      .reverse();
  }

  byEviction(evictionId: string): readonly LedgerEntry[] {
    return this.#entries.filter((entry) => entry.evictionId === evictionId);
  }

  byImage(id: string): readonly LedgerEntry[] {
    return this.#entries.filter((entry) => entry.id === id);
  }
}
