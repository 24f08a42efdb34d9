import { PoolError } from "@continuum/broker-core";
import {
  type EvictionLedger,
  type ImageUse,
  type JournalMarker,
  LEDGER_LINES,
  type LedgerEntry,
  type UseStore,
} from "@continuum/pool-docker";
import type { CacheDeletion } from "@continuum/pool-directory";
import Database from "libsql";
import { chmodSync, closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { PressureHistoryPoint } from "@continuum/wire-types";
import type { CacheLedgerQuery, CacheLedgerStore } from "./cache-ledger.js";
import { CacheLedgerTable } from "./cache-ledger-table.js";
import { closeDatabase } from "./close-database.js";
import { type AdoptedLine, LedgerTable } from "./ledger-table.js";
import { FileSpace, MAX_PAGES } from "./file-space.js";
import { makeDirectories } from "./make-directories.js";
import { MIGRATIONS } from "./migrations.js";
import { parseJson } from "./parse-json.js";
import type { KeptReading, RecordBatch, RecordStore, Resolution, SeriesQuery } from "./record-store.js";
import { RecordTables } from "./record-tables.js";
import type { RollUp } from "./roll-up.js";
import { StateError, toStateError } from "./state-error.js";

/** How often readings are added up and old ones looked for, in ms. */
const TIDY_EVERY_MS = 60_000;
/** What was remembered elsewhere. */
export interface Remembered {
  readonly documents: ReadonlyMap<string, unknown>;
  readonly uses: ReadonlyMap<string, ImageUse>;
  readonly marker: JournalMarker | null;
  /** The oldest first. */
  readonly ledger: readonly AdoptedLine[];
  /** The oldest first; all of them are new. */
  readonly deletions: readonly CacheDeletion[];
  readonly inbox: readonly KeptReading[];
  readonly rollUps: readonly (readonly [Resolution, Iterable<RollUp>])[];
}

/**
 * The core's state in one file, with space of its own: what is written later goes into pages and a rollback journal that
 * were allocated beforehand, so that a full disk doesn't stop it. Held by one core at a time.
 *
 * A transaction is durable when it returns; one that a kill interrupts is undone at the next start.
 */
export class StateFile implements UseStore, EvictionLedger, CacheLedgerStore, RecordStore {
  readonly #cacheLedger = new CacheLedgerTable((sql) => this.#statement(sql));
  readonly #records = new RecordTables((sql) => this.#statement(sql));
  #tidiedMs = -Infinity;
  /** Readings that turned out to be too many between two writes. */
  #lateDrops = 0;
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #statements = new Map<string, Database.Statement>();
  readonly #ledger: LedgerTable;
  readonly #space: FileSpace;

  /** Opens or makes the file. Throws a StateError. */
  constructor(
    path: string,
    {
      ledgerLines = LEDGER_LINES,
      maxPages = MAX_PAGES,
      waitForLockMs = 0,
    }: Partial<Record<"ledgerLines" | "maxPages" | "waitForLockMs", number>> = {},
  ) {
    this.#path = path;
    this.#ledger = new LedgerTable((sql) => this.#statement(sql), ledgerLines);
    let db: Database.Database | null = null;
    try {
      makeDirectories(dirname(path), 0o700);
      chmodSync(dirname(path), 0o700);
      // Made here, with rights for its owner alone.
      closeSync(openSync(path, "a", 0o600));
      db = new Database(path, { timeout: waitForLockMs });
      db.exec("PRAGMA locking_mode = EXCLUSIVE");
      // The journal's file stays as large as it was: deleting and making it anew would need space.
      db.exec("PRAGMA journal_mode = PERSIST");
      db.exec("PRAGMA synchronous = FULL");
      this.#db = db;
      this.#space = new FileSpace({
        db,
        statement: (sql) => this.#statement(sql),
        inTransaction: (run) => this.#inTransaction(run),
        maxPages,
      });
      this.#check();
      this.#migrate();
    } catch (error) {
      if (db !== null) closeDatabase(db);
      throw error instanceof StateError ? error : toStateError(error, path);
    }
    this.#reserveIfPossible();
  }

  /** How large the file is. */
  get sizeBytes(): number {
    return this.#guarded(() => this.#space.sizeBytes);
  }

  /** Sees to it that there is space for later writes; throws a PoolError `noSpace` when there is none to be had. */
  reserve(): void {
    this.#guarded(() => this.#space.reserve());
  }

  #reserveIfPossible(): void {
    try {
      this.reserve();
    } catch (error) {
      // No room for a reserve now: later there may be, and until then it writes as long as it can.
      if (!(error instanceof PoolError)) throw error;
    }
  }

  load(): { readonly uses: ReadonlyMap<string, ImageUse>; readonly marker: JournalMarker | null } {
    return this.#guarded(() => {
      const uses = new Map<string, ImageUse>();
      let areAll = true;
      for (const { id, use } of this.#all("SELECT id, use FROM image_use")) {
        const parsed = parseJson(use);
        if (parsed === undefined) areAll = false;
        else uses.set(String(id), parsed as ImageUse);
      }
      // It says that no use is missing: not where some can't be read.
      const marker = areAll ? this.#get("SELECT value FROM meta WHERE key = 'journal'")?.["value"] : null;
      return { uses, marker: (parseJson(marker ?? null) as JournalMarker | null | undefined) ?? null };
    });
  }

  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void {
    this.#guarded(() => {
      this.#inTransaction(() => this.#putUses(changed, removed, marker));
    });
  }

  append(entry: Omit<LedgerEntry, "sequence">): number {
    return this.#guarded(() => this.#ledger.append(entry));
  }

  page(options: Parameters<EvictionLedger["page"]>[0]): readonly LedgerEntry[] {
    return this.#guarded(() => this.#ledger.page(options));
  }

  byEviction(evictionId: string): readonly LedgerEntry[] {
    return this.#guarded(() => this.#ledger.byEviction(evictionId));
  }

  byImage(id: string): readonly LedgerEntry[] {
    return this.#guarded(() => this.#ledger.byImage(id));
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
      const newestMs = readings.at(-1)?.atMs ?? null;
      if (newestMs !== null && !this.#space.isTight) {
        try {
          const droppedReadings = this.#inTransaction(() => {
            this.#putDocuments(documents);
            this.#records.addReadings(readings);
            return this.#tidy(newestMs);
          });
          return { droppedReadings };
        } catch (error) {
          // Readings give way: what else is to be kept still has the space that was reserved.
          if (toStateError(error, this.#path).code !== "full") throw error;
        }
      }
      if (documents.size > 0) this.#inTransaction(() => this.#putDocuments(documents));
      if (newestMs !== null) this.#trimWhenTight(newestMs);
      return { droppedReadings: readings.length };
    });
  }

  series(query: SeriesQuery): readonly PressureHistoryPoint[] {
    return this.#guarded(() => {
      try {
        // What waits in the inbox belongs to it as well.
        this.#lateDrops += this.#inTransaction(() => this.#records.absorb());
      } catch (error) {
        if (toStateError(error, this.#path).code !== "full") throw error;
      }
      return this.#records.series(query);
    });
  }

  /**
   * Takes over what was remembered elsewhere, all of it or nothing but readings, which are left out where there is no
   * room; gives how many lines and points are new. Throws a PoolError.
   */
  adopt(remembered: Remembered): { readonly ledgerLines: number; readonly points: number } {
    const { documents, uses, marker, ledger, deletions, inbox, rollUps } = remembered;
    return this.#guarded(() => {
      const ledgerLines = this.#inTransaction(() => {
        this.#putDocuments(documents);
        this.#putUses(uses, [], marker);
        for (const deletion of deletions) this.#cacheLedger.appendDeletion(deletion);
        return this.#ledger.adopt(ledger);
      });
      let points = 0;
      try {
        this.#inTransaction(() => {
          if (inbox.length > 0) this.#records.addReadings(inbox);
          this.#records.absorb();
          for (const [resolution, sums] of rollUps) {
            for (const sum of sums) {
              this.#records.addAll([[resolution, [sum]]]);
              points += 1;
            }
          }
        });
      } catch (error) {
        if (toStateError(error, this.#path).code !== "full") throw error;
        points = 0;
      }
      this.#reserveIfPossible();
      return { ledgerLines, points };
    });
  }

  close(): void {
    this.#statements.clear();
    closeDatabase(this.#db);
  }

  #putUses(
    changed: ReadonlyMap<string, ImageUse>,
    removed: readonly string[],
    marker: JournalMarker | null,
  ): void {
    const put = this.#statement("INSERT OR REPLACE INTO image_use (id, use) VALUES (?, ?)");
    for (const [id, use] of changed) put.run(id, JSON.stringify(use));
    const drop = this.#statement("DELETE FROM image_use WHERE id = ?");
    for (const id of removed) drop.run(id);
    if (marker === null) return;
    this.#statement("INSERT OR REPLACE INTO meta (key, value) VALUES ('journal', ?)").run(
      JSON.stringify(marker),
    );
  }

  #putDocuments(documents: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of documents) this.#records.putDocument(name, value);
  }

  /** Once a minute: adds up what came in, and deletes what is too old. Gives how many readings weren't kept. */
  #tidy(nowMs: number): number {
    if (Math.abs(nowMs - this.#tidiedMs) < TIDY_EVERY_MS) return 0;
    const dropped = this.#records.absorb() + this.#lateDrops;
    this.#lateDrops = 0;
    // A bounded step; when there is more, the next one follows with the next readings.
    this.#tidiedMs = this.#records.trim(nowMs, this.#space.fill) ? -Infinity : nowMs;
    return dropped;
  }

  /** What is too old makes room also where nothing new can be kept; if even that can't be written, later. */
  #trimWhenTight(nowMs: number): void {
    if (Math.abs(nowMs - this.#tidiedMs) < TIDY_EVERY_MS) return;
    try {
      this.#inTransaction(() => this.#tidy(nowMs));
    } catch (error) {
      if (toStateError(error, this.#path).code !== "full") throw error;
    }
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

  #inTransaction<T>(run: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      this.#records.forget();
      this.#tidiedMs = -Infinity;
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
