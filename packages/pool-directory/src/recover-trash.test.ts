import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CacheDeletion } from "./index.js";
import { SafeDirectory } from "./safe-directory.js";
import { addRevision, exists, makeFile, poolAt, tempDirectory } from "./testing/cache-fixtures.js";
import { Trash } from "./trash.js";
import { parseTrashRecord, type TrashRecord } from "./trash-record.js";

const never = new AbortController().signal;

const recordOf = (paths: readonly string[], change: Partial<TrashRecord> = {}): TrashRecord => ({
  id: "0f7f0a4e-58a5-4a0f-9d7e-9f6a7a3f1c55",
  pool: "cache",
  key: paths[0] ?? "",
  kind: "directory",
  expectedBytes: 1,
  reason: "old",
  restore: null,
  startedAtMs: 0,
  pid: 1,
  processStart: "a boot long ago/1",
  paths,
  ...change,
});

describe("what a killed eviction left", () => {
  it("is put back while it is complete, and deleted for good once it was committed", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, "models--a--b", "aaa", { data: ["b1", 40, 1] }, "main");
    const paths = ["models--a--b/refs/main", "models--a--b/snapshots/aaa", "models--a--b/blobs/b1"];
    await using root = await SafeDirectory.open(temp.path);
    const first = await Trash.create(root, recordOf(paths));
    await first.moveIn();
    expect(await exists(join(temp.path, "models--a--b/snapshots/aaa"))).toBe(false);
    const uncommitted = poolAt(temp.path, {});
    await uncommitted.pool.recover();
    await uncommitted.pool.close();
    expect(await exists(join(temp.path, "models--a--b/snapshots/aaa/data"))).toBe(true);
    expect(await exists(join(temp.path, "models--a--b/refs/main"))).toBe(true);
    expect(uncommitted.events).toEqual([expect.stringContaining("1 put back, 0 finished")]);

    const second = await Trash.create(root, recordOf(paths));
    await second.moveIn();
    await second.commit();
    const records: CacheDeletion[] = [];
    const committed = poolAt(temp.path, { ledger: { append: (record) => records.push(record) } });
    await committed.pool.recover();
    await committed.pool.close();
    expect(records).toHaveLength(1);
    expect(await readdir(temp.path)).toEqual(["models--a--b"]);
    expect(await readdir(join(temp.path, "models--a--b/blobs"))).toEqual([]);
  });

  it("is left alone while its process runs, or when its record isn't ours", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 10, 30);
    await using root = await SafeDirectory.open(temp.path);
    const trash = await Trash.create(root, recordOf(["model"], { pid: process.pid, processStart: "" }));
    await trash.moveIn();
    const planted = ".continuum-evicting-1f7f0a4e-58a5-4a0f-9d7e-9f6a7a3f1c55";
    await mkdir(join(temp.path, planted, "items"), { recursive: true });
    const outside = JSON.stringify(recordOf(["../../etc/passwd"], { id: planted.slice(20) }));
    await writeFile(join(temp.path, planted, "record.json"), outside);
    const { pool, events } = poolAt(temp.path, {});
    await pool.recover();
    await pool.close();
    expect((await readdir(temp.path)).sort()).toEqual([trash.name, planted].sort());
    expect(events).toEqual([expect.stringContaining("is left alone")]);
  });

  it("is removed where the kill came before its record was whole: nothing is in it yet", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "entry/a", 100, 30);
    const trash = join(temp.path, ".continuum-evicting-0f7f0a4e-58a5-4a0f-9d7e-9f6a7a3f1c55");
    await mkdir(join(trash, "items"), { recursive: true });
    await writeFile(join(trash, "record.json.new"), '{"id":"0f7f');
    const { pool } = poolAt(temp.path, {});
    await pool.recover();
    await pool.close();
    expect(await readdir(temp.path)).toEqual(["entry"]);
  });

  it("never replaces what has been made anew meanwhile", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "file", 10, 30);
    await makeFile(temp.path, "model/data", 10, 30);
    await using root = await SafeDirectory.open(temp.path);
    const trash = await Trash.create(root, recordOf(["file", "model"]));
    await trash.moveIn();
    await makeFile(temp.path, "file", 99, 0);
    await makeFile(temp.path, "model/other", 99, 0);
    expect((await trash.putBack()).toSorted()).toEqual(["file", "model"]);
    expect((await readdir(temp.path)).sort()).toEqual(["file", "model"]);
    expect(await readdir(join(temp.path, "model"))).toEqual(["other"]);
  });

  it("refuses records whose paths lead out", () => {
    for (const path of ["../x", "a/../../x", "/etc/passwd", "", "a//b", "."]) {
      expect(parseTrashRecord(JSON.stringify(recordOf([path]))), path).toBeNull();
    }
    expect(parseTrashRecord(JSON.stringify(recordOf(["a/b"])))).not.toBeNull();
    expect(parseTrashRecord("{")).toBeNull();
  });

  it("loses nothing but whole entries to kill -9 at any moment", { timeout: 600_000 }, async () => {
    const rounds = process.env["CONTINUUM_LONG_TESTS"] === "1" ? 200 : 8;
    const source = `
      const { DirectoryCachePool } = await import("@continuum/pool-directory");
      const root = process.env.CACHE_ROOT;
      const pool = new DirectoryCachePool({ name: "c", root, maxBytes: 1e6, evict: "on", minAgeMs: 0 });
      const signal = new AbortController().signal;
      await pool.read(signal);
      process.stdout.write("ready");
      for (;;) await pool.evict({ wantBytes: 1, signal });`;
    for (let round = 0; round < rounds; round++) {
      await using temp = await tempDirectory();
      for (let i = 0; i < 40; i++) {
        for (const name of ["a", "b", "c"]) await makeFile(temp.path, `entry-${i}/${name}`, 100, 30 + i);
      }
      const args = ["--conditions=@continuum/source", "--import", "tsx", "--input-type=module", "-e", source];
      const child = spawn(process.execPath, args, {
        cwd: join(import.meta.dirname, ".."),
        env: { ...process.env, CACHE_ROOT: temp.path },
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      const { pool } = poolAt(temp.path, {});
      await pool.recover();
      await pool.read(never);
      await pool.close();
      const left = await readdir(temp.path);
      expect(left.filter((name) => name.startsWith("."))).toEqual([]);
      for (const name of left) expect((await readdir(join(temp.path, name))).sort()).toEqual(["a", "b", "c"]);
    }
  });
});
