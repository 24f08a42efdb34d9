import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readStartTicks } from "../lab/lab-owner.js";
import { destroyRunDirectory, findLeftovers, makeRunDirectory, sweepStaleRuns } from "./run-directory.js";

let parent = "";
let memory = "";
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "run-directory-test-"));
  memory = join(parent, "memory");
  mkdirSync(memory);
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** A process whose parent has ended; nothing but the run's directory in its environment tells whose it is. */
function startOrphan(dir: string): number {
  const script = "sleep 600 >/dev/null 2>&1 & echo $!";
  const env = { PATH: process.env["PATH"], TMPDIR: dir };
  return Number(spawnSync("sh", ["-c", script], { env, encoding: "utf8" }).stdout);
}

describe.skipIf(process.platform !== "linux")("the directory of a test run", () => {
  test("has nothing left at first; then names what is there, and who still runs", () => {
    const run = makeRunDirectory(parent, memory);
    expect(basename(run.memoryDir)).toBe(basename(run.dir));
    mkdirSync(join(run.dir, "tsx-0"));
    mkdirSync(join(run.dir, "node-compile-cache"));
    expect(findLeftovers(run)).toEqual([]);
    mkdirSync(join(run.dir, "home"));
    writeFileSync(join(run.memoryDir, "state.db"), "");
    const pid = startOrphan(run.dir);
    expect(findLeftovers(run)).toEqual([
      join(run.dir, "home"),
      join(run.memoryDir, "state.db"),
      `process ${pid}: sleep 600`,
    ]);
    expect(destroyRunDirectory(run)).toEqual([]);
    expect(readStartTicks(pid)).toBeNull();
    expect(readdirSync(parent)).toEqual(["memory"]);
    expect(readdirSync(memory)).toEqual([]);
    expect(destroyRunDirectory(run)).toEqual([]);
  });

  test("a sweep removes what a killed owner left, with its processes, and nothing of a living one", () => {
    const living = makeRunDirectory(parent, memory);
    const killed = makeRunDirectory(parent, memory);
    writeFileSync(join(killed.dir, "owner.json"), JSON.stringify({ pid: process.pid, startTicks: "1" }));
    writeFileSync(join(killed.memoryDir, "state.db"), "");
    const pid = startOrphan(join(killed.dir, "home"));
    // The half of a run within a run, whose other half went with that one.
    mkdirSync(join(memory, "continuum-run-half"));
    writeFileSync(join(memory, "continuum-run-half/owner.json"), JSON.stringify({ pid: 1, startTicks: "x" }));
    expect(sweepStaleRuns(parent, memory)).toEqual([]);
    expect(readStartTicks(pid)).toBeNull();
    expect(readdirSync(parent).sort()).toEqual([basename(living.dir), "memory"].sort());
    expect(readdirSync(memory)).toEqual([basename(living.dir)]);
    destroyRunDirectory(living);
  });

  test("is one where there is no filesystem in memory", () => {
    const run = makeRunDirectory(parent, join(parent, "none"));
    expect(run.memoryDir).toBe(run.dir);
    writeFileSync(join(run.dir, "left"), "");
    expect(findLeftovers(run)).toEqual([join(run.dir, "left")]);
    destroyRunDirectory(run);
  });
});
