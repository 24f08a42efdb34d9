import type { PressureHistoryPoint } from "@continuum/wire-types";
import type Database from "libsql";
import {
  KEPT_MS,
  type KeptReading,
  MAX_KEPT_POOLS,
  POINT_MS,
  type Resolution,
  type SeriesQuery,
} from "./record-store.js";

/** Rows that one trim deletes at most: a core that was away for a month catches up in steps. */
const TRIM_ROWS = 500;
const TABLES: Readonly<Record<Resolution, string>> = {
  raw: "reading_raw",
  minute: "reading_minute",
  hour: "reading_hour",
};
const RESOLUTIONS: readonly Resolution[] = ["raw", "minute", "hour"];

type Row = Readonly<Record<string, unknown>>;

/** The documents and readings of a state file; transactions and errors are its owner's. */
export class RecordTables {
  readonly #poolIds = new Map<string, number>();

  constructor(private readonly prepare: (sql: string) => Database.Statement) {}

  documents(namespace: string): ReadonlyMap<string, unknown> {
    const rows = this.#all("SELECT key, value FROM document WHERE namespace = ?", namespace);
    return new Map(rows.map(({ key, value }) => [String(key), JSON.parse(String(value)) as unknown]));
  }

  /** Puts a document, or removes it when its value is null; the name is `namespace/key`. */
  putDocument(name: string, value: unknown): void {
    const slash = name.indexOf("/");
    const [namespace, key] = [name.slice(0, slash), name.slice(slash + 1)];
    if (value === null) {
      this.prepare("DELETE FROM document WHERE namespace = ? AND key = ?").run(namespace, key);
    } else {
      const sql = "INSERT OR REPLACE INTO document (namespace, key, value) VALUES (?, ?, ?)";
      this.prepare(sql).run(namespace, key, JSON.stringify(value));
    }
  }

  /** Adds a reading, itself and to its minute and hour; false when there are too many pools already. */
  addReading({ pool, atMs, usedBytes, capacityBytes, pressure }: KeptReading): boolean {
    const id = this.#poolId(pool);
    if (id === null) return false;
    for (const resolution of RESOLUTIONS) {
      const startMs = Math.floor(atMs / POINT_MS[resolution]) * POINT_MS[resolution];
      this.prepare(
        `INSERT INTO ${TABLES[resolution]}
           (pool_id, at_ms, samples, used_sum, capacity, pressure_sum, pressure_min, pressure_max)
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?5, ?5)
         ON CONFLICT (pool_id, at_ms) DO UPDATE SET
           samples = samples + 1, used_sum = used_sum + ?3, capacity = ?4, pressure_sum = pressure_sum + ?5,
           pressure_min = min(pressure_min, ?5), pressure_max = max(pressure_max, ?5)`,
      ).run(id, startMs, usedBytes, capacityBytes, pressure);
    }
    return true;
  }

  /** Deletes what is older than it is kept, a bounded number of rows; true when there may be more. */
  trim(nowMs: number): boolean {
    let isMore = false;
    for (const resolution of RESOLUTIONS) {
      const table = TABLES[resolution];
      const { changes } = this.prepare(
        `DELETE FROM ${table} WHERE (pool_id, at_ms) IN
           (SELECT pool_id, at_ms FROM ${table} WHERE at_ms < ? LIMIT ${TRIM_ROWS})`,
      ).run(nowMs - KEPT_MS[resolution]);
      isMore ||= changes >= TRIM_ROWS;
    }
    // A pool without a reading left makes room for another.
    this.prepare("DELETE FROM pool WHERE id NOT IN (SELECT DISTINCT pool_id FROM reading_hour)").run();
    this.#poolIds.clear();
    return isMore;
  }

  series({ pool, resolution, fromMs, toMs, limit }: SeriesQuery): readonly PressureHistoryPoint[] {
    const sql = `SELECT * FROM ${TABLES[resolution]}
       WHERE pool_id = (SELECT id FROM pool WHERE name = ?) AND at_ms >= ? AND at_ms < ?
       ORDER BY at_ms DESC LIMIT ?`;
    return this.#all(sql, pool, fromMs, toMs, limit).map(toPoint).reverse();
  }

  /** Forgets what it remembers of the file: a transaction was undone. */
  forget(): void {
    this.#poolIds.clear();
  }

  #poolId(name: string): number | null {
    const known = this.#poolIds.get(name);
    if (known !== undefined) return known;
    const [row] = this.#all("SELECT id FROM pool WHERE name = ?", name);
    let id = row === undefined ? null : Number(row["id"]);
    if (id === null) {
      const [count] = this.#all("SELECT count(*) AS pools FROM pool");
      if (Number(count?.["pools"]) >= MAX_KEPT_POOLS) return null;
      id = Number(this.prepare("INSERT INTO pool (name) VALUES (?)").run(name).lastInsertRowid);
    }
    this.#poolIds.set(name, id);
    return id;
  }

  #all(sql: string, ...params: unknown[]): readonly Row[] {
    return this.prepare(sql).all(...params) as readonly Row[];
  }
}

function toPoint(row: Row): PressureHistoryPoint {
  const samples = Number(row["samples"]);
  return {
    atMs: Number(row["at_ms"]),
    usedBytes: Math.round(Number(row["used_sum"]) / samples),
    capacityBytes: Number(row["capacity"]),
    pressure: Number(row["pressure_sum"]) / samples,
    minPressure: Number(row["pressure_min"]),
    maxPressure: Number(row["pressure_max"]),
    samples,
  };
}
