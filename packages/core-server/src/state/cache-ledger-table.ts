import type { CacheDeletion } from "@continuum/pool-directory";
import type { CacheEvictionRecord } from "@continuum/wire-types";
import type Database from "libsql";
import { CACHE_LEDGER_LINES, type CacheLedgerQuery, type CacheLedgerStore } from "./cache-ledger.js";
import { parseJson } from "./parse-json.js";

/** Lines beyond the bound that are let stand, so that not every line costs a deletion. */
const SLACK = 500;
/** One question for both ends would read the whole table. */
const BOUNDS =
  "SELECT (SELECT min(sequence) FROM cache_ledger) AS oldest, (SELECT max(sequence) FROM cache_ledger) AS newest";

type Row = Readonly<Record<string, unknown>>;

/** The ledger of cache directories in a state file; transactions and errors are its owner's. */
export class CacheLedgerTable implements CacheLedgerStore {
  constructor(
    private readonly prepare: (sql: string) => Database.Statement,
    private readonly lines = CACHE_LEDGER_LINES,
  ) {}

  appendDeletion(deletion: CacheDeletion): number {
    // Before the line: where this fails, nothing is written that was said not to be.
    this.#trim();
    const insert = this.prepare("INSERT INTO cache_ledger (pool, entry) VALUES (?, ?)");
    return Number(insert.run(deletion.pool, JSON.stringify(deletion)).lastInsertRowid);
  }

  deletions({
    limit,
    beforeSequence = Number.MAX_SAFE_INTEGER,
    pool,
  }: CacheLedgerQuery): readonly CacheEvictionRecord[] {
    const ofPool = pool === undefined ? "" : "AND pool = ?3";
    const sql = `SELECT sequence, entry FROM cache_ledger WHERE sequence < ?1 ${ofPool} ORDER BY sequence DESC LIMIT ?2`;
    const rows = this.prepare(sql).all(
      beforeSequence,
      limit,
      ...(pool === undefined ? [] : [pool]),
    ) as readonly Row[];
    return rows.flatMap(toRecord);
  }

  #trim(): void {
    const { oldest, newest } = this.prepare(BOUNDS).get() as Readonly<Record<string, number | null>>;
    const keepFrom = (newest ?? 0) - this.lines + 1;
    if ((oldest ?? 0) > keepFrom - SLACK) return;
    this.prepare("DELETE FROM cache_ledger WHERE sequence < ?").run(keepFrom);
  }
}

/** A line that can't be read any more is left out. */
function toRecord({ sequence, entry }: Row): readonly CacheEvictionRecord[] {
  const parsed = parseJson(entry);
  if (typeof parsed !== "object" || parsed === null) return [];
  return [{ ...(parsed as CacheDeletion), sequence: Number(sequence) }];
}
