import { ManualClock } from "@continuum/broker-core/testing";
import type { LedgerEntry } from "@continuum/pool-docker";
import Database from "libsql";
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { type CoreState, openState } from "./open-state.js";

const PAGE = 4_096;
const START_MS = 1_700_000_000_000;
const use = (useCount: number) => ({
  lastUsedAtMs: 5,
  useCount,
  recentUsesMs: [5],
  firstSeenAtMs: 1,
  unwatchedUntilMs: null,
});
const marker = { engineId: "E", lastEvent: null, watchedSinceMs: 1, gapCount: 0, lastGapUntilMs: null };
const line = (id: string): Omit<LedgerEntry, "sequence"> => ({
  atMs: 1,
  evictionId: "e",
  planId: null,
  cause: "pressure",
  policy: "standard",
  kind: "image",
  id,
  name: `${id}:1`,
  references: [`${id}:1`],
  digests: [],
  rule: "unusedImage",
  reason: "nobody uses it",
  outcome: "deleted",
  detail: null,
  claimedBytes: 10,
  measuredBytes: 10,
  restoreReference: null,
});

/** Where syncing costs nothing, if there is such a place. */
const fastTemporary = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

let dir: string;
const path = (): string => join(dir, "state.db");
beforeEach(() => {
  dir = mkdtempSync(join(fastTemporary, "continuum-damage-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function open(directory = dir) {
  const { log, entries } = recordingLog();
  const clock = new ManualClock();
  return { state: openState({ directory, log, clock }), entries, clock };
}
const asides = (): readonly string[] => readdirSync(dir).filter((name) => /damaged-\d+$/u.test(name));

/** A state with a past: counters, an episode, uses, lines of the ledger, readings. */
function fill(state: CoreState): void {
  state.load();
  state.save(
    new Map([
      ["a", use(1)],
      ["b", use(2)],
    ]),
    [],
    marker,
  );
  for (let i = 0; i < 300; i++) state.append(line(`line-${i}`));
  const readings = Array.from({ length: 500 }, (_, i) => ({
    pool: "docker",
    atMs: START_MS + i * 60_000,
    usedBytes: i,
    capacityBytes: 1_000,
    pressure: i / 1_000,
  }));
  state.write({
    documents: new Map<string, unknown>([
      ["broker/counters", { evictionsFired: 7 }],
      ["episodes/docker", { n: 1 }],
    ]),
    readings,
  });
  state.series({ pool: "docker", resolution: "raw", fromMs: 0, toMs: 1, limit: 1 });
}

/** It goes on as if nothing had been: what is written now is there later. */
function expectToWork(state: CoreState, isDurable = true): void {
  expect(state.isDurable).toBe(isDurable);
  const at = START_MS + 1e9;
  const sequence = state.append(line("after"));
  expect(state.byImage("after").map((each) => each.sequence)).toContain(sequence);
  const reading = { pool: "later", atMs: at, usedBytes: 1, capacityBytes: 2, pressure: 0.5 };
  state.write({ documents: new Map([["test/after", 1]]), readings: [reading] });
  expect(state.documents("test")).toEqual(new Map([["after", 1]]));
  const query = { pool: "later", resolution: "minute", fromMs: 0, toMs: 2e12, limit: 9 } as const;
  expect(state.series(query)).toHaveLength(1);
  state.save(new Map([["c", use(3)]]), [], marker);
  expect(state.load().uses.get("c")).toEqual(use(3));
  state.maintain();
}

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
    const first = open();
    fill(first.state);
    first.state.close();
    damage();
    const { state, entries } = open();
    expect(state.notes).toHaveLength(1);
    expect(state.notes[0]).toMatch(/damaged.*set aside as .*damaged-\d+.*begun/su);
    expect(entries).toContainEqual(expect.objectContaining({ level: 40, msg: state.notes[0] }));
    expect(asides()).toHaveLength(1);
    expect(state.problem).toBeNull();
    expectToWork(state);
    state.close();
    const again = open();
    expect(again.state.notes).toEqual([]);
    expect(again.state.byImage("after")).toHaveLength(1);
    again.state.close();
  });

  it("gives what can be read of it: all but what stood on the damaged page", () => {
    const first = open();
    fill(first.state);
    first.state.close();
    garble(path(), (rootOf("image_use") - 1) * PAGE);
    const { state } = open();
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
    const first = open();
    fill(first.state);
    first.state.close();
    // A leaf in the middle of the ledger.
    const text = readFileSync(path());
    const at = text.indexOf('"line-150"');
    expect(at).toBeGreaterThan(0);
    garble(path(), Math.floor(at / PAGE) * PAGE);
    const { state } = open();
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
    const { state } = open();
    expect(state.notes).toEqual([]);
    expectToWork(state);
    state.close();
  });

  it("is as it was, or set aside, when the journal beside it is another file's", () => {
    const first = open();
    fill(first.state);
    first.state.close();
    const other = join(dir, "other");
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
    const { state } = open();
    if (state.notes.length === 0)
      expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    else expect(asides()).toHaveLength(1);
    expectToWork(state);
    state.close();
  });

  it("is set aside as it is when a directory stands in its place", () => {
    mkdirSync(path());
    writeFileSync(join(path(), "mine"), "somebody's");
    const { state } = open();
    expect(state.notes[0]).toMatch(/is a directory.*set aside/su);
    expectToWork(state);
    state.close();
    expect(readFileSync(join(dir, asides()[0] ?? "", "mine"), "utf8")).toBe("somebody's");
  });

  it("is kept three times at most", () => {
    for (let i = 0; i < 6; i++) {
      writeFileSync(path(), "no database ".repeat(2_000));
      writeFileSync(`${path()}.damaged-${i}`, "older");
      writeFileSync(`${path()}.damaged-${i}.journal`, "older");
    }
    open().state.close();
    expect(asides()).toHaveLength(3);
    expect(readdirSync(dir).filter((name) => name.endsWith(".journal"))).toHaveLength(2);
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
    const { state, entries } = open();
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
    const again = open();
    expect(again.state.documents("episodes").get("docker")).toEqual({ n: 1 });
    expect(again.state.load().marker).toEqual(marker);
    expect(again.state.page({ limit: 1_000 })).toHaveLength(301);
    again.state.close();
  });

  it("is remembered in memory when it is damaged again at once, and moves to a file later", async () => {
    const { state, clock } = open();
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
    const copy = join(dir, "copy.db");
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

const canMount = ((): boolean => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const probe = mkdtempSync(join(fastTemporary, "continuum-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "none", probe]).status === 0;
  if (isMounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true, force: true });
  return isMounted;
})();
if (!canMount) console.warn("skipped, nothing can be mounted here: a state that can't be written");

describe.skipIf(!canMount)("a state that can't be written", () => {
  let mount: string;
  let view: string;
  beforeEach(() => {
    [mount, view] = [join(dir, "mount"), join(dir, "view")];
    for (const each of [mount, view]) mkdirSync(each);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "none", mount]);
    execFileSync("mount", ["--bind", mount, view]);
  });
  afterEach(() => {
    // The database lets go of its file only when its statements have been collected.
    for (const each of [view, mount]) execFileSync("umount", ["-l", each]);
  });
  const remount = (how: "ro" | "rw"): void => {
    execFileSync("mount", ["-o", `remount,bind,${how}`, view]);
  };

  it("is read all the same, said, and written again once it can be, with nothing lost or doubled", () => {
    const first = open(mount);
    fill(first.state);
    first.state.close();
    remount("ro");
    const { state } = open(view);
    expect(state.notes[0]).toMatch(/can't be written.*memory.*from what it holds/su);
    expect(state.problem?.text).toMatch(/can't be written|read-?only/iu);
    expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 7 });
    expect(state.load().uses.get("b")).toEqual(use(2));
    expect(state.page({ limit: 1_000 })).toHaveLength(300);
    state.write({ documents: new Map([["broker/counters", { evictionsFired: 8 }]]), readings: [] });
    expectToWork(state, false);
    remount("rw");
    state.maintain();
    expect(state.problem).toBeNull();
    expect(state.isDurable).toBe(true);
    state.close();
    const again = open(mount);
    expect(again.state.documents("broker").get("counters")).toEqual({ evictionsFired: 8 });
    expect(again.state.page({ limit: 1_000 }).map(({ id }) => id)).toEqual([
      "after",
      ...Array.from({ length: 300 }, (_, i) => `line-${299 - i}`),
    ]);
    again.state.close();
  });

  it("says so while a disk is full, lets readings give way first, and takes them again when there is room", () => {
    const { state } = open(mount);
    fill(state);
    const filler = join(mount, "filler");
    const descriptor = openSync(filler, "w");
    expect(() => {
      for (;;) writeSync(descriptor, Buffer.alloc(PAGE));
    }).toThrow("ENOSPC");
    closeSync(descriptor);
    const pools = Array.from({ length: 100 }, (_, i) => `pool-${i}`);
    let dropped = 0;
    for (let i = 0; i < 450; i++) {
      const atMs = START_MS + 1e9 + i * 5_000;
      const readings = pools.map((pool) => ({ pool, atMs, usedBytes: i, capacityBytes: 1, pressure: 0.5 }));
      dropped += state.write({
        documents: new Map([["broker/counters", { evictionsFired: i }]]),
        readings,
      }).droppedReadings;
      state.append(line(`full-${i}`));
      if (i % 3 === 0) state.maintain();
    }
    expect(dropped).toBeGreaterThan(1_000);
    expect(dropped).toBeLessThan(45_000);
    expect(state.problem).toBeNull();
    expect(state.documents("broker").get("counters")).toEqual({ evictionsFired: 449 });
    expect(state.byImage("full-449")).toHaveLength(1);
    rmSync(filler);
    state.maintain();
    const reading = { pool: "back", atMs: START_MS + 2e9, usedBytes: 1, capacityBytes: 1, pressure: 0.5 };
    expect(state.write({ documents: new Map(), readings: [reading] }).droppedReadings).toBe(0);
    state.close();
    const again = open(mount);
    expect(again.state.documents("broker").get("counters")).toEqual({ evictionsFired: 449 });
    expect(again.state.page({ limit: 2_000 })).toHaveLength(750);
    again.state.close();
  }, 30_000);

  it("that becomes so while a core runs is said, and goes on from where it was once it can be", () => {
    const { state } = open(mount);
    fill(state);
    // A file that is open for writing keeps its filesystem from becoming read-only: the disk is full instead.
    const filler = join(mount, "filler");
    const descriptor = openSync(filler, "w");
    expect(() => {
      for (;;) writeSync(descriptor, Buffer.alloc(PAGE));
    }).toThrow("ENOSPC");
    closeSync(descriptor);
    const huge = "x".repeat(9 * 1_048_576);
    expect(() => state.write({ documents: new Map([["test/huge", huge]]), readings: [] })).toThrow(
      expect.objectContaining({ code: "noSpace" }) as Error,
    );
    expect(state.problem?.text).toContain("no space left");
    state.write({ documents: new Map([["test/small", 1]]), readings: [] });
    expect(state.problem).toBeNull();
    expect(statSync(join(mount, "state.db")).size).toBeGreaterThan(0);
    expect(existsSync(join(mount, "state.db"))).toBe(true);
    state.close();
  });
});
