import type { EvictionLedger, LedgerEntry } from "@continuum/pool-docker";
import type Database from "libsql";
import { parseJson } from "./parse-json.js";

/** Lines beyond the bound that are let stand, so that not every line costs a deletion. */
const SLACK = 500;
/** One question for both ends would read the whole table. */
const BOUNDS =
  "SELECT (SELECT min(sequence) FROM ledger) AS oldest, (SELECT max(sequence) FROM ledger) AS newest";
const INSERT = "INSERT OR IGNORE INTO ledger (sequence, eviction_id, thing_id, entry) VALUES (?, ?, ?, ?)";

/** A line that may have its sequence already; null for one that gets the next. */
export type AdoptedLine = Omit<LedgerEntry, "sequence"> & { readonly sequence: number | null };

type Row = Readonly<Record<string, unknown>>;

/** The ledger of a state file; transactions and errors are its owner's. */
export class LedgerTable implements EvictionLedger {
  constructor(
    private readonly prepare: (sql: string) => Database.Statement,
    private readonly maxLines: number,
  ) {}

  append(entry: Omit<LedgerEntry, "sequence">): number {
    // Before the line: where this fails, nothing is written that was said not to be.
    this.#trim();
    return Number(this.#insert(null, entry).lastInsertRowid);
  }

  /** Adds lines that were written elsewhere; those whose sequence is there already stay as they are. Gives how many are new. */
  adopt(lines: readonly AdoptedLine[]): number {
    let added = 0;
    for (const { sequence, ...entry } of lines) added += this.#insert(sequence, entry).changes;
    this.#trim();
    return added;
  }

  page({
    beforeSequence = Number.MAX_SAFE_INTEGER,
    limit,
  }: Parameters<EvictionLedger["page"]>[0]): readonly LedgerEntry[] {
    const sql = "SELECT sequence, entry FROM ledger WHERE sequence < ? ORDER BY sequence DESC LIMIT ?";
    return this.#entries(sql, beforeSequence, limit);
  }

  byEviction(evictionId: string): readonly LedgerEntry[] {
    const sql = "SELECT sequence, entry FROM ledger WHERE eviction_id = ? ORDER BY sequence";
    return this.#entries(sql, evictionId);
  }

  byImage(id: string): readonly LedgerEntry[] {
    return this.#entries("SELECT sequence, entry FROM ledger WHERE thing_id = ? ORDER BY sequence", id);
  }

  #insert(sequence: number | null, entry: Omit<LedgerEntry, "sequence">): Database.RunResult {
    return this.prepare(INSERT).run(sequence, entry.evictionId, entry.id, JSON.stringify(entry));
  }

  #trim(): void {
    const { oldest, newest } = this.prepare(BOUNDS).get() as Readonly<Record<string, number | null>>;
    const keepFrom = (newest ?? 0) - this.maxLines + 1;
    if ((oldest ?? 0) > keepFrom - SLACK) return;
    this.prepare("DELETE FROM ledger WHERE sequence < ?").run(keepFrom);
  }

  /** A line that can't be read any more is left out. */
  #entries(sql: string, ...params: unknown[]): readonly LedgerEntry[] {
    return (this.prepare(sql).all(...params) as readonly Row[]).flatMap(({ sequence, entry }) => {
      const parsed = parseJson(entry);
      if (typeof parsed !== "object" || parsed === null) return [];
      return [{ ...(parsed as Omit<LedgerEntry, "sequence">), sequence: Number(sequence) }];
    });
  }
}
