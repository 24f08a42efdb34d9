import type { ImageUse, JournalMarker, LedgerEntry } from "@continuum/pool-docker";
import type { CacheEvictionRecord } from "@continuum/wire-types";
import Database from "libsql";
import { parseJson } from "./parse-json.js";
import type { KeptReading, Resolution } from "./record-store.js";
import { READING_TABLES, toRollUp } from "./record-tables.js";
import type { RollUp } from "./roll-up.js";

type Row = Readonly<Record<string, unknown>>;

/** Tables and the columns that they are ordered by. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  document: ["namespace", "key"],
  image_use: ["id"],
  ledger: ["sequence"],
  cache_ledger: ["sequence"],
  reading_inbox: ["sequence"],
  ...Object.fromEntries(Object.values(READING_TABLES).map((table) => [table, ["pool_id", "at_ms"]])),
};

const ROWS_AT_ONCE = 1_000;

/**
 * Reads what can be read of a state file that is damaged, or that can't be written: from both ends of each table as far
 * as it goes. Never throws, never writes. Whoever opened it closes it.
 */
export class StateReader {
  readonly #db: Database.Database | null;
  /** How often something couldn't be read. */
  #missed = 0;

  /** Opens the file, which must be there. */
  constructor(path: string) {
    this.#db = openForReading(path);
    if (this.#db === null) this.#missed += 1;
  }

  /** Whether all that was asked for so far could be read. */
  get isComplete(): boolean {
    return this.#missed === 0;
  }

  /** Documents by `namespace/key`. */
  documents(): ReadonlyMap<string, unknown> {
    const documents = new Map<string, unknown>();
    for (const { namespace, key, value } of this.#rows("document")) {
      const parsed = this.#parse(value);
      if (parsed !== undefined) documents.set(`${String(namespace)}/${String(key)}`, parsed);
    }
    return documents;
  }

  /** The uses of images; the marker only when all of them are there, since it says that none is missing. */
  uses(): { readonly uses: ReadonlyMap<string, ImageUse>; readonly marker: JournalMarker | null } {
    const missedBefore = this.#missed;
    const uses = new Map<string, ImageUse>();
    for (const { id, use } of this.#rows("image_use")) {
      const parsed = this.#parse(use);
      if (parsed !== undefined) uses.set(String(id), parsed as ImageUse);
    }
    return { uses, marker: this.#missed === missedBefore ? this.#marker() : null };
  }

  /** Lines of the ledger, the oldest first. */
  ledger(): readonly LedgerEntry[] {
    return this.#lines("ledger") as readonly LedgerEntry[];
  }

  /** Deletions from cache directories, the oldest first. */
  deletions(): readonly CacheEvictionRecord[] {
    return this.#lines("cache_ledger") as readonly CacheEvictionRecord[];
  }

  /** Readings that weren't added up yet. */
  inbox(): readonly KeptReading[] {
    return [...this.#rows("reading_inbox")].flatMap(({ readings }) => {
      const parsed = this.#parse(readings);
      return Array.isArray(parsed) ? (parsed as KeptReading[]) : [];
    });
  }

  /** Readings of a resolution, one after the other. */
  *rollUps(resolution: Resolution): Generator<RollUp> {
    const names = this.#poolNames();
    for (const row of this.#rows(READING_TABLES[resolution])) {
      const pool = names.get(Number(row["pool_id"]));
      const sum = toRollUp(row);
      const isSound = Object.values(sum).every(Number.isFinite) && sum.samples >= 1;
      if (pool === undefined || !isSound) this.#missed += 1;
      else yield { pool, ...sum };
    }
  }

  close(): void {
    this.#db?.close();
  }

  #lines(table: string): readonly { readonly sequence: number }[] {
    const lines = new Map<number, { readonly sequence: number }>();
    for (const row of this.#rows(table)) {
      const sequence = Number(row["sequence"]);
      const parsed = this.#parse(row["entry"]);
      if (parsed !== undefined) lines.set(sequence, { ...(parsed as object), sequence });
    }
    return [...lines.values()].sort((a, b) => a.sequence - b.sequence);
  }

  #marker(): JournalMarker | null {
    try {
      const row = this.#db?.prepare("SELECT value FROM meta WHERE key = 'journal'").get() as Row | undefined;
      return typeof row?.["value"] === "string" ? (JSON.parse(row["value"]) as JournalMarker) : null;
    } catch {
      this.#missed += 1;
      return null;
    }
  }

  #poolNames(): ReadonlyMap<number, string> {
    try {
      const rows = (this.#db?.prepare("SELECT id, name FROM pool").all() ?? []) as readonly Row[];
      return new Map(rows.map(({ id, name }) => [Number(id), String(name)]));
    } catch {
      this.#missed += 1;
      return new Map();
    }
  }

  /** Forwards until something can't be read, then backwards from the other end; a row may come twice. */
  *#rows(table: string): Generator<Row> {
    for (const direction of ["ASC", "DESC"] as const) {
      const isAtEnd = yield* this.#rowsOneWay(table, direction);
      if (isAtEnd) return;
      this.#missed += 1;
    }
  }

  /** Gives whether it came to the end. */
  *#rowsOneWay(table: string, direction: "ASC" | "DESC"): Generator<Row, boolean> {
    const keys = KEYS[table] ?? [];
    const order = keys.map((key) => `${key} ${direction}`).join(", ");
    const beyond = `(${keys.join(", ")}) ${direction === "ASC" ? ">" : "<"} (${keys.map(() => "?").join(", ")})`;
    let last: Row | null = null;
    let limit = ROWS_AT_ONCE;
    for (;;) {
      let rows: readonly Row[];
      try {
        const sql = `SELECT * FROM ${table} ${last === null ? "" : `WHERE ${beyond}`} ORDER BY ${order} LIMIT ${limit}`;
        const after: unknown[] = last === null ? [] : keys.map((key) => last?.[key]);
        rows = (this.#db?.prepare(sql).all(...after) ?? []) as readonly Row[];
      } catch (error) {
        // An older file doesn't have the table yet.
        if (error instanceof Error && error.message.includes("no such table")) return true;
        if (limit === 1) return false;
        // One by one up to the row that can't be read.
        limit = 1;
        continue;
      }
      yield* rows;
      if (rows.length < limit) return true;
      last = rows.at(-1) ?? null;
    }
  }

  /** Undefined for what isn't JSON. */
  #parse(text: unknown): unknown {
    const parsed = parseJson(text);
    if (parsed === undefined) this.#missed += 1;
    return parsed;
  }
}

/** Null for a file that can't even be opened: the reader counts it as missed. */
function openForReading(path: string): Database.Database | null {
  try {
    const db = new Database(path);
    db.exec("PRAGMA query_only = 1");
    return db;
  } catch {
    return null;
  }
}
