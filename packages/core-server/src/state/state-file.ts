import { PoolError } from "@continuum/broker-core";
import {
  type EvictionLedger,
  type ImageUse,
  type JournalMarker,
  LEDGER_LINES,
  type LedgerEntry,
  type UseStore,
} from "@continuum/pool-docker";
import Database from "libsql";
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { PressureHistoryPoint } from "@continuum/wire-types";
import type { CacheLedgerQuery, CacheLedgerStore } from "./cache-ledger.js";
import { CacheLedgerTable } from "./cache-ledger-table.js";
import { MIGRATIONS } from "./migrations.js";
import type { RecordBatch, RecordStore, SeriesQuery } from "./record-store.js";
import { RecordTables } from "./record-tables.js";
import { StateError, toStateError } from "./state-error.js";

/** Space that is kept in the file, for writes on a disk that is full. */
const RESERVED_PAGES = 1_024;
/** Pages that one transaction can change on a full disk: so large is the journal that undoes it kept. */
const RESERVED_JOURNAL_PAGES = 256;
const PAGE_BYTES = 4_096;
/** How often old readings are looked for, in ms. */
const TRIM_EVERY_MS = 60_000;
/** Lines beyond the bound that are let stand, so that not every line costs a deletion. */
const LEDGER_SLACK = 500;
/** One question for both ends would read the whole table. */
const LEDGER_BOUNDS =
  "SELECT (SELECT min(sequence) FROM ledger) AS oldest, (SELECT max(sequence) FROM ledger) AS newest";
const INSERT_FILLER = `INSERT INTO reserve VALUES (zeroblob(${PAGE_BYTES - 100}))`;

/**
 * The core's state in one file, with space of its own: what is written later goes into pages and a rollback journal that
 * were allocated beforehand, so that a full disk doesn't stop it. Held by one core at a time.
 *
 * A transaction is durable when it returns; one that a kill interrupts is undone at the next start.
 */
export class StateFile implements UseStore, EvictionLedger, CacheLedgerStore, RecordStore {
  readonly #cacheLedger = new CacheLedgerTable((sql) => this.#statement(sql));
  readonly #records = new RecordTables((sql) => this.#statement(sql));
  #trimmedMs = -Infinity;
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #statements = new Map<string, Database.Statement>();
  readonly #ledgerLines: number;

  /** Opens or makes the file. Throws a StateError. */
  constructor(path: string, { ledgerLines = LEDGER_LINES }: { readonly ledgerLines?: number } = {}) {
    this.#path = path;
    this.#ledgerLines = ledgerLines;
    let db: Database.Database | null = null;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      chmodSync(dirname(path), 0o700);
      // Made here, with rights for its owner alone.
      closeSync(openSync(path, "a", 0o600));
      db = new Database(path);
      db.exec("PRAGMA locking_mode = EXCLUSIVE");
      // The journal's file stays as large as it was: deleting and making it anew would need space.
      db.exec("PRAGMA journal_mode = PERSIST");
      db.exec("PRAGMA synchronous = FULL");
      this.#db = db;
      this.#check();
      this.#migrate();
    } catch (error) {
      if (db !== null) closeDatabase(db);
      throw error instanceof StateError ? error : toStateError(error, path);
    }
    try {
      this.reserve();
    } catch (error) {
      // No room for a reserve now: later there may be, and until then it writes as long as it can.
      if (!(error instanceof PoolError)) throw error;
    }
  }

  /** Sees to it that there is space for later writes; throws a PoolError `noSpace` when there is none to be had. */
  reserve(): void {
    this.#guarded(() => {
      // One that was cut off before its end left its table, with the space in it.
      this.#db.exec("DROP TABLE IF EXISTS reserve");
      if (this.#freePages() < RESERVED_PAGES / 2) this.#allocate();
    });
  }

  #allocate(): void {
    try {
      this.#inTransaction(() => {
        this.#db.exec("CREATE TABLE reserve (filler BLOB)");
        const insert = this.#statement(INSERT_FILLER);
        for (let i = 0; i < RESERVED_PAGES; i++) insert.run();
      });
      // Changing pages writes them to the journal first, which keeps its size.
      this.#db.exec(
        `UPDATE reserve SET filler = zeroblob(${PAGE_BYTES - 101}) WHERE rowid <= ${RESERVED_JOURNAL_PAGES}`,
      );
    } finally {
      // Prepared for a table that goes now.
      this.#statements.delete(INSERT_FILLER);
      this.#db.exec("DROP TABLE IF EXISTS reserve");
    }
  }

  load(): { readonly uses: ReadonlyMap<string, ImageUse>; readonly marker: JournalMarker | null } {
    return this.#guarded(() => {
      const uses = new Map<string, ImageUse>();
      for (const row of this.#all("SELECT id, use FROM image_use")) {
        uses.set(String(row["id"]), JSON.parse(String(row["use"])) as ImageUse);
      }
      const marker = this.#get("SELECT value FROM meta WHERE key = 'journal'")?.["value"];
      return { uses, marker: typeof marker === "string" ? (JSON.parse(marker) as JournalMarker) : null };
    });
  }

  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void {
    this.#guarded(() => {
      this.#inTransaction(() => {
        const put = this.#statement("INSERT OR REPLACE INTO image_use (id, use) VALUES (?, ?)");
        for (const [id, use] of changed) put.run(id, JSON.stringify(use));
        const drop = this.#statement("DELETE FROM image_use WHERE id = ?");
        for (const id of removed) drop.run(id);
        this.#statement("INSERT OR REPLACE INTO meta (key, value) VALUES ('journal', ?)").run(
          JSON.stringify(marker),
        );
      });
    });
  }

  append(entry: Omit<LedgerEntry, "sequence">): number {
    return this.#guarded(() => {
      const { evictionId, id } = entry;
      // Before the line: where this fails, nothing is written that was said not to be.
      this.#trimLedger();
      const insert = this.#statement("INSERT INTO ledger (eviction_id, thing_id, entry) VALUES (?, ?, ?)");
      return Number(insert.run(evictionId, id, JSON.stringify(entry)).lastInsertRowid);
    });
  }

  page({
    beforeSequence = Number.MAX_SAFE_INTEGER,
    limit,
  }: {
    beforeSequence?: number;
    limit: number;
  }): readonly LedgerEntry[] {
    const sql = "SELECT sequence, entry FROM ledger WHERE sequence < ? ORDER BY sequence DESC LIMIT ?";
    return this.#guarded(() => this.#all(sql, beforeSequence, limit).map(toEntry));
  }

  byEviction(evictionId: string): readonly LedgerEntry[] {
    const sql = "SELECT sequence, entry FROM ledger WHERE eviction_id = ? ORDER BY sequence";
    return this.#guarded(() => this.#all(sql, evictionId).map(toEntry));
  }

  byImage(id: string): readonly LedgerEntry[] {
    const sql = "SELECT sequence, entry FROM ledger WHERE thing_id = ? ORDER BY sequence";
    return this.#guarded(() => this.#all(sql, id).map(toEntry));
  }

  appendDeletion(deletion: Parameters<CacheLedgerStore["appendDeletion"]>[0]): number {
    return this.#guarded(() => this.#cacheLedger.appendDeletion(deletion));
  }

  deletions(query: CacheLedgerQuery): ReturnType<CacheLedgerStore["deletions"]> {
    return this.#guarded(() => this.#cacheLedger.deletions(query));
  }

  documents(namespace: string): ReadonlyMap<string, unknown> {
    return this.#guarded(() => this.#records.documents(namespace));
  }

  write({ documents, readings }: RecordBatch): { readonly droppedReadings: number } {
    return this.#guarded(() => {
      // What is reserved is for the ledger and the documents: readings grow the file, or aren't kept.
      const isTight = this.#freePages() < RESERVED_PAGES / 4;
      const keptReadings = isTight ? [] : readings;
      let droppedReadings = readings.length - keptReadings.length;
      try {
        this.#inTransaction(() => {
          for (const [name, value] of documents) this.#records.putDocument(name, value);
          for (const reading of keptReadings) if (!this.#records.addReading(reading)) droppedReadings += 1;
        });
      } catch (error) {
        this.#records.forget();
        throw error;
      }
      const newestMs = keptReadings.at(-1)?.atMs ?? -Infinity;
      if (Math.abs(newestMs - this.#trimmedMs) >= TRIM_EVERY_MS && newestMs > 0) this.#trimRecords(newestMs);
      return { droppedReadings };
    });
  }

  series(query: SeriesQuery): readonly PressureHistoryPoint[] {
    return this.#guarded(() => this.#records.series(query));
  }

  close(): void {
    this.#statements.clear();
    closeDatabase(this.#db);
  }

  #freePages(): number {
    return Number(this.#get("PRAGMA freelist_count")?.["freelist_count"] ?? 0);
  }

  /** A bounded step; when there is more, the next one follows with the next readings. */
  #trimRecords(nowMs: number): void {
    this.#inTransaction(() => {
      this.#trimmedMs = this.#records.trim(nowMs) ? -Infinity : nowMs;
    });
  }

  #trimLedger(): void {
    const { oldest, newest } = this.#statement(LEDGER_BOUNDS).get() as Readonly<
      Record<string, number | null>
    >;
    const keepFrom = (newest ?? 0) - this.#ledgerLines + 1;
    if ((oldest ?? 0) > keepFrom - LEDGER_SLACK) return;
    this.#statement("DELETE FROM ledger WHERE sequence < ?").run(keepFrom);
  }

  #check(): void {
    const result = this.#get("PRAGMA quick_check(1)")?.["quick_check"];
    if (result === "ok") return;
    const why = typeof result === "string" ? result : "it can't be checked";
    throw new StateError("damaged", `${this.#path} is damaged: ${why}`);
  }

  #migrate(): void {
    const version = Number(this.#get("PRAGMA user_version")?.["user_version"] ?? 0);
    if (version > MIGRATIONS.length) {
      throw new StateError(
        "newer",
        `${this.#path} is of version ${version}, and this core knows ${MIGRATIONS.length}: use the newer core, or another --state-dir`,
      );
    }
    for (let from = version; from < MIGRATIONS.length; from++) {
      this.#inTransaction(() => {
        this.#db.exec(MIGRATIONS[from] ?? "");
        this.#db.exec(`PRAGMA user_version = ${from + 1}`);
      });
    }
    // Takes the lock, whether or not there was anything to do.
    this.#inTransaction(() => {
      this.#db.exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('opened', datetime('now'))");
    });
  }

  #inTransaction(run: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      run();
      this.#db.exec("COMMIT");
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch {
        // SQLite has rolled back by itself, as it does when the disk is full.
      }
      throw error;
    }
  }

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  #get(sql: string, ...params: unknown[]): Readonly<Record<string, unknown>> | undefined {
    return this.#db.prepare(sql).get(...params) as Readonly<Record<string, unknown>> | undefined;
  }

  #all(sql: string, ...params: unknown[]): readonly Readonly<Record<string, unknown>>[] {
    return this.#statement(sql).all(...params) as Readonly<Record<string, unknown>>[];
  }

  /** Failures of the file as a pool's failures: who writes knows those. */
  #guarded<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      const cause = toStateError(error, this.#path);
      throw new PoolError(cause.code === "full" ? "noSpace" : "failed", cause.message, { cause });
    }
  }
}

/** Closing alone lets go of the file's lock only when all statements have been collected as garbage. */
function closeDatabase(db: Database.Database): void {
  try {
    db.exec("PRAGMA locking_mode = NORMAL");
    db.exec("SELECT count(*) FROM sqlite_master");
  } catch {
    // A file that can't be read has no lock to let go of.
  }
  db.close();
}

function toEntry(row: Readonly<Record<string, unknown>>): LedgerEntry {
  const entry = JSON.parse(String(row["entry"])) as Omit<LedgerEntry, "sequence">;
  return { ...entry, sequence: Number(row["sequence"]) };
}
