import Database from "libsql";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eachInDirectory, expectToWork, fill, marker, open, PAGE, use } from "../testing/state-fixtures.js";
import type { CoreState } from "./open-state.js";

const dir = eachInDirectory();
const path = (): string => join(dir(), "state.db");
const asides = (): readonly string[] => readdirSync(dir()).filter((name) => /damaged-\d+$/u.test(name));

/** Writes garbage over what stands at a place of the file. */
function garble(file: string, at: number, bytes = PAGE): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(bytes, 0xa5), 0, bytes, at);
  closeSync(descriptor);
}

/** The first page on which a table stands. */
function rootOf(table: string): number {
  const db = new Database(path());
  const row = db.prepare("SELECT rootpage FROM sqlite_master WHERE name = ?").get(table) as {
    rootpage: number;
  };
  db.close();
  return row.rootpage;
}

describe("a state that was damaged while no core ran", () => {
  it.each<readonly [string, () => void]>([
    ["cut off in the middle", () => truncateSync(path(), 40 * PAGE)],
    ["cut off within its first page", () => truncateSync(path(), 700)],
    ["garbage in its header", () => garble(path(), 0, 100)],
    ["garbage on a page of the ledger", () => garble(path(), (rootOf("ledger") - 1) * PAGE)],
    ["garbage on its schema", () => garble(path(), 100, 2_000)],
    ["something else altogether", () => writeFileSync(path(), "no database ".repeat(2_000))],
  ])("is set aside, said, and begun anew: %s", (_what, damage) => {
    const first = open(dir());
    fill(first.state);
    first.state.close();
    damage();
    const { state, entries } = open(dir());
    expect(state.notes).toHaveLength(1);
    expect(state.notes[0]).toMatch(/damaged.*set aside as .*damaged-\d+.*begun/su);
    expect(entries).toContainEqual(expect.objectContaining({ level: 40, msg: state.notes[0] }));
    expect(asides()).toHaveLength(1);
    expect(state.problem).toBeNull();
    expectToWork(state);
    state.close();
    const again = open(dir());
    expect(again.state.notes).toEqual([]);
    expect(again.state.byImage("after")).toHaveLength(1);
    again.state.close();
  });

  it("gives what can be read of it: all but what stood on the damaged page", () => {
    const first = open(dir());
    fill(first.state);
    first.state.close();
    garble(path(), (rootOf("image_use") - 1) * PAGE);
    const { state } = open(dir());
    expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    expect(state.documents("episodes").get("docker")).toEqual({ n: 1 });
    expect(state.page({ limit: 1_000 })).toHaveLength(300);
    const query = { pool: "docker", fromMs: 0, toMs: 2e12, limit: 1_000 };
    expect(state.series({ ...query, resolution: "raw" })).toHaveLength(500);
    expect(state.series({ ...query, resolution: "hour" }).reduce((sum, each) => sum + each.samples, 0)).toBe(
      500,
    );
    // Uses are missing: that none is missing must not be said.
    expect(state.load()).toEqual({ uses: new Map(), marker: null });
    expect(state.notes[0]).toContain(
      "what could be read of it: 0 uses, 300 lines of the ledger, 2 documents",
    );
    state.close();
  });

  it("gives the lines of a ledger from both ends of the damage", () => {
    const first = open(dir());
    fill(first.state);
    first.state.close();
    // A leaf in the middle of the ledger.
    const text = readFileSync(path());
    const at = text.indexOf('"line-150"');
    expect(at).toBeGreaterThan(0);
    garble(path(), Math.floor(at / PAGE) * PAGE);
    const { state } = open(dir());
    const kept = state.page({ limit: 1_000 }).map(({ id }) => id);
    expect(kept.length).toBeGreaterThan(250);
    expect(kept.length).toBeLessThan(300);
    expect(kept).toContain("line-299");
    expect(kept).toContain("line-0");
    expect(kept).not.toContain("line-150");
    expect(new Set(kept).size).toBe(kept.length);
    state.close();
  });

  it("is begun anew without a word when it is empty: nothing was in it", () => {
    writeFileSync(path(), "");
    const { state } = open(dir());
    expect(state.notes).toEqual([]);
    expectToWork(state);
    state.close();
  });

  it("is as it was, or set aside, when the journal beside it is another file's", () => {
    const first = open(dir());
    fill(first.state);
    first.state.close();
    const other = join(dir(), "other");
    mkdirSync(other);
    // A journal that looks as if it had to be rolled back: taken in the middle of a transaction.
    const db = new Database(join(other, "x.db"));
    db.exec("PRAGMA cache_size = 5; CREATE TABLE t (x)");
    db.exec("BEGIN");
    for (let i = 0; i < 500; i++) db.exec("INSERT INTO t VALUES (zeroblob(3000))");
    db.exec("COMMIT; BEGIN; UPDATE t SET x = zeroblob(2999)");
    copyFileSync(join(other, "x.db-journal"), `${path()}-journal`);
    db.exec("ROLLBACK");
    db.close();
    const { state } = open(dir());
    if (state.notes.length === 0)
      expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    else expect(asides()).toHaveLength(1);
    expectToWork(state);
    state.close();
  });

  it("is set aside as it is when a directory stands in its place", () => {
    mkdirSync(path());
    writeFileSync(join(path(), "mine"), "somebody's");
    const { state } = open(dir());
    expect(state.notes[0]).toMatch(/is a directory.*set aside/su);
    expectToWork(state);
    state.close();
    expect(readFileSync(join(dir(), asides()[0] ?? "", "mine"), "utf8")).toBe("somebody's");
  });

  it("is kept three times at most", () => {
    for (let i = 0; i < 6; i++) {
      writeFileSync(path(), "no database ".repeat(2_000));
      writeFileSync(`${path()}.damaged-${i}`, "older");
      writeFileSync(`${path()}.damaged-${i}.journal`, "older");
    }
    open(dir()).state.close();
    expect(asides()).toHaveLength(3);
    expect(readdirSync(dir()).filter((name) => name.endsWith(".journal"))).toHaveLength(2);
  });
});

describe("a state that is damaged while a core runs", () => {
  /** So much that the database's own cache doesn't hold all of it. */
  function fillBeyondCache(state: CoreState): void {
    fill(state);
    const bulk = Array.from({ length: 1_000 }, (_, i) => [`bulk/${i}`, "x".repeat(3_500)] as const);
    state.write({ documents: new Map(bulk), readings: [] });
  }
  /** Damages the file, and has the page read again. */
  function damageUses(state: CoreState): void {
    garble(path(), (rootOfOpen("image_use") - 1) * PAGE);
    expect(state.documents("bulk").size).toBe(1_000);
    state.load();
  }

  it("is set aside, and the new one has all that the core knows", () => {
    const { state, entries } = open(dir());
    fillBeyondCache(state);
    damageUses(state);
    expect(state.notes.join()).toMatch(/damaged.*set aside/su);
    expect(entries).toContainEqual(expect.objectContaining({ level: 40, msg: state.notes[0] }));
    expect(state.load()).toEqual({
      uses: new Map([
        ["a", use(1)],
        ["b", use(2)],
      ]),
      marker,
    });
    expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    expectToWork(state);
    state.close();
    const again = open(dir());
    expect(again.state.documents("episodes").get("docker")).toEqual({ n: 1 });
    expect(again.state.load().marker).toEqual(marker);
    expect(again.state.page({ limit: 1_000 })).toHaveLength(301);
    again.state.close();
  });

  it("is remembered in memory when it is damaged again at once, and moves to a file later", async () => {
    const { state, clock } = open(dir());
    fillBeyondCache(state);
    damageUses(state);
    truncateSync(path(), 20 * PAGE);
    expect(state.documents("bulk").size).toBe(1_000);
    expect(state.isDurable).toBe(false);
    expect(state.problem?.text).toContain("damaged");
    expect(state.load().uses.get("b")).toEqual(use(2));
    expectToWork(state, false);
    state.maintain();
    expect(state.isDurable).toBe(false);
    await clock.advance(61_000);
    state.maintain();
    expect(state.problem).toBeNull();
    expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    expect(state.load().uses.get("b")).toEqual(use(2));
    expect(asides()).toHaveLength(2);
    expectToWork(state);
    state.close();
  });

  /** As `rootOf`, of a file that is locked: from a copy. */
  function rootOfOpen(table: string): number {
    const copy = join(dir(), "copy.db");
    copyFileSync(path(), copy);
    const db = new Database(copy);
    const row = db.prepare("SELECT rootpage FROM sqlite_master WHERE name = ?").get(table) as {
      rootpage: number;
    };
    db.close();
    rmSync(copy, { force: true });
    return row.rootpage;
  }
});
