import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  eachInDirectory,
  expectToWork,
  fastTemporary,
  fill,
  line,
  open,
  PAGE,
  START_MS,
  use,
} from "../testing/state-fixtures.js";

const dir = eachInDirectory();

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
    [mount, view] = [join(dir(), "mount"), join(dir(), "view")];
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
    const filler = fillUp(mount);
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
    fillUp(mount);
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

/** Leaves no byte of a filesystem free; gives the file that takes them. */
function fillUp(mount: string): string {
  const filler = join(mount, "filler");
  const descriptor = openSync(filler, "w");
  expect(() => {
    for (;;) writeSync(descriptor, Buffer.alloc(PAGE));
  }).toThrow("ENOSPC");
  closeSync(descriptor);
  return filler;
}
