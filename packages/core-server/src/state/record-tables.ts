import type { PressureHistoryPoint } from "@continuum/wire-types";
import type Database from "libsql";
import { parseJson } from "./parse-json.js";
import {
  FORGET_POOL_MS,
  keptMs,
  type KeptReading,
  MAX_KEPT_POOLS,
  type Resolution,
  RESOLUTIONS,
  type SeriesQuery,
} from "./record-store.js";
import { type RollUp, rollUp, toPoint } from "./roll-up.js";

/** Rows of a resolution that one trim deletes at most: a core that was away for a month catches up in steps. */
const TRIM_ROWS = 2_000;
/** Where readings stand, by resolution. */
export const READING_TABLES: Readonly<Record<Resolution, string>> = {
  raw: "reading_raw",
  minute: "reading_minute",
  hour: "reading_hour",
};

type Row = Readonly<Record<string, unknown>>;

/**
 * The documents and readings of a state file; transactions and errors are its owner's.
 *
 * Readings go into the inbox first, all pools' in one row, and once a minute from there into the tables: each table is
 * another page to be written for each pool, and that every few seconds would wear out a disk.
 */
export class RecordTables {
  readonly #poolIds = new Map<string, number>();

  constructor(private readonly prepare: (sql: string) => Database.Statement) {}

  documents(namespace: string): ReadonlyMap<string, unknown> {
    const rows = this.#all("SELECT key, value FROM document WHERE namespace = ?", namespace);
    // What can't be read any more is left out.
    return new Map(
      rows
        .map(({ key, value }) => [String(key), parseJson(value)] as const)
        .filter(([, value]) => value !== undefined),
    );
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

  /** Keeps readings for the next `absorb`. */
  addReadings(readings: readonly KeptReading[]): void {
    this.prepare("INSERT INTO reading_inbox (readings) VALUES (?)").run(JSON.stringify(readings));
  }

  /** Takes the inbox into the tables; gives how many readings were of pools that are too many already. */
  absorb(): number {
    const rows = this.#all("SELECT readings FROM reading_inbox ORDER BY sequence");
    if (rows.length === 0) return 0;
    const readings = rows.flatMap((row) => (parseJson(row["readings"]) ?? []) as KeptReading[]);
    this.prepare("DELETE FROM reading_inbox").run();
    return this.addAll(RESOLUTIONS.map((resolution) => [resolution, rollUp(readings, resolution)]));
  }

  /** Adds sums to the tables; gives how many readings were of pools that are too many already. */
  addAll(sums: Iterable<readonly [Resolution, Iterable<RollUp>]>): number {
    let dropped = 0;
    for (const [resolution, each] of sums) {
      for (const sum of each) {
        const id = this.#poolId(sum.pool, sum.atMs);
        if (id !== null) this.#add(resolution, id, sum);
        else if (resolution === "raw") dropped += sum.samples;
      }
    }
    return dropped;
  }

  /**
   * Deletes what is older than it is kept in a file that is so full, a bounded number of rows; true when there may be
   * more. What lies in the future stays: the clock may be the one that is wrong.
   */
  trim(nowMs: number, fill: number): boolean {
    let isMore = false;
    const pools = this.#all("SELECT id FROM pool");
    for (const resolution of RESOLUTIONS) {
      const table = READING_TABLES[resolution];
      const beforeMs = nowMs - keptMs(resolution, fill);
      let left = TRIM_ROWS;
      for (const { id } of pools) {
        if (left <= 0) break;
        left -= this.prepare(
          `DELETE FROM ${table} WHERE pool_id = ?1 AND at_ms IN
             (SELECT at_ms FROM ${table} WHERE pool_id = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT ?3)`,
        ).run(id, beforeMs, left).changes;
      }
      isMore ||= left <= 0;
    }
    // A pool without a reading left makes room for another.
    const { changes } = this.prepare(
      "DELETE FROM pool WHERE NOT EXISTS (SELECT 1 FROM reading_hour WHERE pool_id = pool.id)",
    ).run();
    if (changes > 0) this.#poolIds.clear();
    return isMore;
  }

  series({ pool, resolution, fromMs, toMs, limit }: SeriesQuery): readonly PressureHistoryPoint[] {
    const sql = `SELECT * FROM ${READING_TABLES[resolution]}
       WHERE pool_id = (SELECT id FROM pool WHERE name = ?) AND at_ms >= ? AND at_ms < ?
       ORDER BY at_ms DESC LIMIT ?`;
    return this.#all(sql, pool, fromMs, toMs, limit)
      .map((row) => toPoint(toRollUp(row)))
      .reverse();
  }

  /** Forgets what it remembers of the file: a transaction was undone. */
  forget(): void {
    this.#poolIds.clear();
  }

  #add(resolution: Resolution, id: number, sum: RollUp): void {
    this.prepare(
      `INSERT INTO ${READING_TABLES[resolution]}
         (pool_id, at_ms, samples, used_sum, capacity, pressure_sum, pressure_min, pressure_max)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
       ON CONFLICT (pool_id, at_ms) DO UPDATE SET
         samples = samples + ?3, used_sum = used_sum + ?4, capacity = ?5, pressure_sum = pressure_sum + ?6,
         pressure_min = min(pressure_min, ?7), pressure_max = max(pressure_max, ?8)`,
    ).run(
      id,
      sum.atMs,
      sum.samples,
      sum.usedSum,
      sum.capacityBytes,
      sum.pressureSum,
      sum.minPressure,
      sum.maxPressure,
    );
  }

  #poolId(name: string, atMs: number): number | null {
    const known = this.#poolIds.get(name);
    if (known !== undefined) return known;
    const [row] = this.#all("SELECT id FROM pool WHERE name = ?", name);
    let id = row === undefined ? null : Number(row["id"]);
    if (id === null) {
      const [count] = this.#all("SELECT count(*) AS pools FROM pool");
      if (Number(count?.["pools"]) >= MAX_KEPT_POOLS && !this.#forgetOne(atMs)) return null;
      id = Number(this.prepare("INSERT INTO pool (name) VALUES (?)").run(name).lastInsertRowid);
    }
    this.#poolIds.set(name, id);
    return id;
  }

  /** Gives up the pool that was heard of least recently, if that is long enough ago. */
  #forgetOne(nowMs: number): boolean {
    const [oldest] = this.#all(
      `SELECT id, coalesce(${RESOLUTIONS.map(
        (each) => `(SELECT max(at_ms) FROM ${READING_TABLES[each]} WHERE pool_id = pool.id)`,
      ).join(", ")}, 0) AS last_ms
       FROM pool ORDER BY last_ms LIMIT 1`,
    );
    if (oldest === undefined || nowMs - Number(oldest["last_ms"]) < FORGET_POOL_MS) return false;
    const { id } = oldest;
    for (const table of Object.values(READING_TABLES)) {
      this.prepare(`DELETE FROM ${table} WHERE pool_id = ?`).run(id);
    }
    this.prepare("DELETE FROM pool WHERE id = ?").run(id);
    this.#poolIds.clear();
    return true;
  }

  #all(sql: string, ...params: unknown[]): readonly Row[] {
    return this.prepare(sql).all(...params) as readonly Row[];
  }
}

/** The sums of a row of `READING_TABLES`, whose pool stands in a table of its own; NaN for what is no number. */
export function toRollUp(row: Row): Omit<RollUp, "pool"> {
  return {
    atMs: Number(row["at_ms"]),
    samples: Number(row["samples"]),
    usedSum: Number(row["used_sum"]),
    capacityBytes: Number(row["capacity"]),
    pressureSum: Number(row["pressure_sum"]),
    minPressure: Number(row["pressure_min"]),
    maxPressure: Number(row["pressure_max"]),
  };
}
