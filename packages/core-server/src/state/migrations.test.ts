import { systemClock } from "@continuum/broker-core";
import Database from "libsql";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { eachInDirectory } from "../testing/state-fixtures.js";
import { MIGRATIONS } from "./migrations.js";
import { openState } from "./open-state.js";
import { StateFile } from "./state-file.js";

const log = pino({ level: "silent" });

/** What a core of the first version wrote, as its tables and its code had it. */
const VERSION_1 = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE image_use (id TEXT PRIMARY KEY, use TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE ledger (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    eviction_id TEXT NOT NULL,
    thing_id TEXT NOT NULL,
    entry TEXT NOT NULL
  );
  CREATE INDEX ledger_by_eviction ON ledger (eviction_id);
  CREATE INDEX ledger_by_thing ON ledger (thing_id);
  PRAGMA user_version = 1;
  INSERT INTO meta VALUES ('opened', '2026-11-20 10:00:00'),
    ('journal', '{"engineId":"E","lastEvent":null,"watchedSinceMs":1,"gapCount":2,"lastGapUntilMs":null}');
  INSERT INTO image_use VALUES ('sha256:a',
    '{"lastUsedAtMs":5,"useCount":1,"recentUsesMs":[5],"firstSeenAtMs":1,"unwatchedUntilMs":null}');
  INSERT INTO ledger (eviction_id, thing_id, entry) VALUES ('e', 'sha256:b',
    '{"atMs":1,"evictionId":"e","planId":null,"cause":"pressure","policy":"standard","kind":"image","id":"sha256:b",
      "name":"b:1","references":["b:1"],"digests":[],"rule":"unusedImage","reason":"nobody uses it",
      "outcome":"deleted","detail":null,"claimedBytes":10,"measuredBytes":9,"restoreReference":null}');
`;

const directory = eachInDirectory();
const path = (): string => join(directory(), "state.db");
function make(sql: string): void {
  const db = new Database(path());
  db.exec("PRAGMA journal_mode = PERSIST");
  db.exec(sql);
  db.close();
}

describe("a state of an older core", () => {
  it("is taken over as it is, and takes what is new", () => {
    make(VERSION_1);
    const state = openState({ directory: directory(), log, clock: systemClock });
    expect(state.notes).toEqual([]);
    expect(state.load()).toMatchObject({ marker: { engineId: "E", gapCount: 2 } });
    expect(state.load().uses.get("sha256:a")).toMatchObject({ useCount: 1 });
    expect(state.page({ limit: 9 })).toMatchObject([{ sequence: 1, id: "sha256:b", measuredBytes: 9 }]);
    const at = { usedBytes: 1, capacityBytes: 2, pressure: 0.5 };
    state.write({ documents: new Map([["a/b", 1]]), readings: [{ pool: "p", atMs: 60_001, ...at }] });
    state.close();
    const again = openState({ directory: directory(), log, clock: systemClock });
    const query = { pool: "p", fromMs: 0, toMs: 1e12, limit: 9 };
    expect(again.documents("a")).toEqual(new Map([["b", 1]]));
    expect(again.series({ ...query, resolution: "minute" })).toMatchObject([{ atMs: 60_000, samples: 1 }]);
    again.close();
  });

  it("of the second version keeps its readings", () => {
    make(`${MIGRATIONS[0] ?? ""} ${MIGRATIONS[1] ?? ""} PRAGMA user_version = 2;
      INSERT INTO pool VALUES (7, 'p');
      INSERT INTO reading_raw VALUES (7, 60001, 1, 10, 20, 0.5, 0.5, 0.5);
      INSERT INTO reading_minute VALUES (7, 60000, 2, 30, 20, 1.5, 0.5, 1.0);`);
    const state = new StateFile(path());
    const query = { pool: "p", fromMs: 0, toMs: 1e12, limit: 9 };
    expect(state.series({ ...query, resolution: "raw" })).toMatchObject([{ atMs: 60_001, usedBytes: 10 }]);
    expect(state.series({ ...query, resolution: "minute" })).toMatchObject([
      { usedBytes: 15, pressure: 0.75, minPressure: 0.5, maxPressure: 1, samples: 2 },
    ]);
    state.close();
  });

  it("stays of its version when the migration can't be finished, and is migrated the next time", () => {
    // A table of the second version is in the way.
    make(`${VERSION_1} CREATE TABLE reading_hour (x);`);
    expect(() => new StateFile(path())).toThrow();
    const db = new Database(path());
    expect(db.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: 1 });
    expect(db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'document'").get()).toMatchObject(
      {
        n: 0,
      },
    );
    db.exec("DROP TABLE reading_hour");
    db.close();
    const state = new StateFile(path());
    expect(state.page({ limit: 9 })).toHaveLength(1);
    state.close();
  });
});

describe("a state of a newer core", () => {
  it("is left byte for byte as it is, and said", () => {
    make(`${VERSION_1} PRAGMA user_version = ${MIGRATIONS.length + 1}; CREATE TABLE from_the_future (x);`);
    const before = readFileSync(path());
    const state = openState({ directory: directory(), log, clock: systemClock });
    expect(state.isDurable).toBe(false);
    expect(state.problem?.text).toContain(`is of version ${MIGRATIONS.length + 1}`);
    state.write({ documents: new Map([["a/b", 1]]), readings: [] });
    state.maintain();
    state.close();
    expect(readFileSync(path()).equals(before)).toBe(true);
  });
});

describe("a released migration", () => {
  it("is never edited", () => {
    const digests = MIGRATIONS.map((sql) => createHash("sha256").update(sql).digest("hex").slice(0, 12));
    expect(digests).toMatchInlineSnapshot(`
      [
        "5e971896987b",
        "b578e665c6af",
        "b276be89c4e7",
        "c1a8eb3c9726",
      ]
    `);
  });
});
