import { PressureBroker } from "@continuum/broker-core";
import { describePoolContract } from "@continuum/broker-core/testing";
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CacheDeletion } from "./index.js";
import { ageLink, allocated, exists, makeFile, poolAt, tempDirectory } from "./testing/cache-fixtures.js";
import { openElsewhere } from "./testing/cache-processes.js";

const never = new AbortController().signal;
const KIB = 1024;
/** A walk that a reading began ends in the background, however busy the machine is. */
const WALKED = { timeout: 10_000, interval: 5 };

describePoolContract("DirectoryCachePool", { describe, it, expect }, async () => {
  const temp = await tempDirectory();
  for (let i = 0; i < 5; i++) await makeFile(temp.path, `old-${i}/data`, 20 * KIB, 30 + i);
  const { pool } = poolAt(temp.path, { maxBytes: 200 * KIB });
  return {
    pool,
    dispose: async () => {
      await pool.close();
      await temp[Symbol.asyncDispose]();
    },
  };
});

describe("a plain cache directory", () => {
  it("is relieved down to its target, least recently used first, and says how much was measured", async () => {
    await using temp = await tempDirectory();
    for (let i = 0; i < 10; i++) await makeFile(temp.path, `pkg-${i}/lib/data`, 96 * KIB, 10 + i);
    await makeFile(temp.path, "young/data", 96 * KIB, 1);
    const records: CacheDeletion[] = [];
    const { pool } = poolAt(temp.path, {
      maxBytes: 1200 * KIB,
      ledger: { append: (record) => records.push(record) },
    });
    const broker = new PressureBroker();
    broker.register(pool);
    const [outcome] = await (await broker.relieve()).done;
    expect(outcome).toMatchObject({ shortfall: null, error: null });
    expect(outcome?.freedBytes).toBe(outcome?.claimedBytes);
    expect(broker.reading(pool.name)?.pressure).toBeLessThanOrEqual(0.6);
    const left = (await readdir(temp.path)).sort();
    expect(left).toEqual(["pkg-0", "pkg-1", "pkg-2", "pkg-3", "pkg-4", "young"].sort());
    expect(records).toHaveLength(outcome?.deleted.length ?? 0);
    expect(records[0]).toMatchObject({
      pool: "cache",
      key: "pkg-9",
      kind: "directory",
      path: join(temp.path, "pkg-9"),
      outcome: "deleted",
      restoreCommand: null,
      reason: "last used 19 d ago",
    });
    await broker.close();
    await pool.close();
  });

  it("measures allocated blocks, each file once", async () => {
    await using temp = await tempDirectory();
    const sparse = await open(join(temp.path, "sparse"), "w");
    await sparse.truncate(50 * 2 ** 20);
    await sparse.close();
    await makeFile(temp.path, "a/file", 40 * KIB, 30);
    await mkdir(join(temp.path, "b"));
    await link(join(temp.path, "a/file"), join(temp.path, "b/same"));
    const { pool } = poolAt(temp.path, {});
    expect(pool.largest()).toBeNull();
    const { usedBytes, reclaimableBytes } = await pool.read(never);
    expect(usedBytes).toBe(await allocated(temp.path));
    expect(pool.largest()).toMatchObject({ name: expect.stringMatching(/^[ab]$/u) as string });
    // What both have goes with neither alone.
    const { choice } = await pool.status(never);
    for (const { entry, expectedBytes } of choice.chosen) {
      expect(expectedBytes, entry.key).toBeLessThan(40 * KIB);
    }
    expect(reclaimableBytes).toBeLessThan(usedBytes);
    await pool.close();
  });

  it("deletes nothing where eviction is off, and says what it would delete", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "old/data", 40 * KIB, 30);
    const { pool } = poolAt(temp.path, { evict: "off" });
    const result = await pool.evict({ wantBytes: 1, signal: never });
    expect(result).toMatchObject({ dryRun: true, claimedBytes: 0, deleted: [] });
    expect(result.wouldDelete).toMatchObject([{ key: "old", kind: "directory" }]);
    expect(await exists(join(temp.path, "old/data"))).toBe(true);
    await pool.close();
  });

  it("keeps what is young, pinned, matched, open, linked elsewhere or in a time to come, and says so", async () => {
    await using temp = await tempDirectory();
    const names = ["young", "pinned", "vip-1", "open", "future", "old"];
    for (const name of names) await makeFile(temp.path, `${name}/data`, 20 * KIB, 30);
    await makeFile(temp.path, "young/fresh", 1, 0);
    await makeFile(temp.path, "future/data", 20 * KIB, -3);
    await makeFile(temp.path, "pinned/.continuum-keep", 0, 30);
    await symlink("/etc", join(temp.path, "link"));
    await makeFile(temp.path, "lost+found/chain", 20 * KIB, 30);
    await using reader = await openElsewhere(join(temp.path, "open/data"));
    expect(reader.pid).toBeGreaterThan(0);
    const { pool } = poolAt(temp.path, { keep: ["vip-?"] });
    const result = await pool.evict({ wantBytes: 10 * 2 ** 20, signal: never });
    expect(result.deleted.map(({ key }) => key)).toEqual(["old"]);
    expect((await readdir(temp.path)).sort()).toEqual([
      "future",
      "link",
      "lost+found",
      "open",
      "pinned",
      "vip-1",
      "young",
    ]);
    expect(await exists("/etc/passwd")).toBe(true);
    const { choice } = await pool.status(never);
    expect(Object.fromEntries(choice.kept.map(({ entry, reason }) => [entry.key, reason]))).toEqual({
      young: "it is younger than the minimum age",
      future: "it is younger than the minimum age",
      pinned: "it has a .continuum-keep",
      "vip-1": "the pattern vip-? keeps it",
      link: "it is neither a file nor a directory",
    });
    expect(result.shortfall).toContain("open/data is open in a process");
    await pool.close();
  });

  it("keeps what a link beside it leads to, or into, until the link is gone", async () => {
    await using temp = await tempDirectory();
    for (const name of ["1.1", "1.2", "1.3"]) await makeFile(temp.path, `${name}/data`, 20 * KIB, 30);
    await symlink("1.2", join(temp.path, "current"));
    await symlink(join(temp.path, "1.3/data"), join(temp.path, "newest"));
    await symlink("../elsewhere", join(temp.path, "out"));
    const { pool } = poolAt(temp.path, {});
    const { choice } = await pool.status(never);
    expect(choice.kept.map(({ entry, reason }) => `${entry.key}: ${reason}`)).toEqual(
      expect.arrayContaining([
        "1.2: the link current beside it leads to it",
        "1.3: the link newest beside it leads to it",
      ]),
    );
    const deletedOf = async (): Promise<string[]> =>
      (await pool.evict({ wantBytes: 10 * 2 ** 20, signal: never })).deleted.map(({ key }) => key);
    expect(await deletedOf()).toEqual(["1.1"]);
    await rm(join(temp.path, "current"));
    expect(await deletedOf()).toEqual(["1.2"]);
    await pool.close();
  });

  it("keeps everything where the root itself is pinned", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "old/data", 20 * KIB, 30);
    await makeFile(temp.path, ".continuum-keep", 0, 30);
    const { pool } = poolAt(temp.path, {});
    expect((await pool.evict({ wantBytes: 1, signal: never })).deleted).toEqual([]);
    expect(await pool.read(never)).toMatchObject({ reclaimableBytes: 0 });
    await pool.close();
  });

  it("never follows a link out: neither one within an entry nor one that takes an entry's place", async () => {
    await using temp = await tempDirectory();
    await using outside = await tempDirectory();
    await makeFile(outside.path, "treasure/data", 40 * KIB, 300);
    await makeFile(temp.path, "inner/data", 20 * KIB, 30);
    await symlink(join(outside.path, "treasure"), join(temp.path, "inner/link"));
    await ageLink(join(temp.path, "inner/link"), 30);
    await makeFile(temp.path, "swapped/data", 20 * KIB, 40);
    const { pool } = poolAt(temp.path, {
      // Between the choice and the deletion, when files in use are looked for.
      findFilesInUse: async () => {
        if ((await lstat(join(temp.path, "swapped"))).isDirectory()) {
          await rm(join(temp.path, "swapped"), { recursive: true });
          await symlink(join(outside.path, "treasure"), join(temp.path, "swapped"));
        }
        return { inodes: new Set(), complete: true };
      },
    });
    const { usedBytes } = await pool.read(never);
    expect(usedBytes).toBeLessThan(90 * KIB);
    const { deleted } = await pool.evict({ wantBytes: 10 * 2 ** 20, signal: never });
    expect(deleted.map(({ key }) => key)).toEqual(["inner"]);
    expect(await readdir(join(outside.path, "treasure"))).toEqual(["data"]);
    expect((await lstat(join(temp.path, "swapped"))).isSymbolicLink()).toBe(true);
    await pool.close();
  });

  it("refuses when the root has become another directory, and works again after the next walk", async () => {
    await using temp = await tempDirectory();
    await using outside = await tempDirectory();
    await makeFile(temp.path, "cache/old/data", 20 * KIB, 30);
    await makeFile(outside.path, "old/data", 20 * KIB, 30);
    const root = join(temp.path, "cache");
    const { pool } = poolAt(root, {});
    await pool.read(never);
    await rename(root, join(temp.path, "moved"));
    await symlink(outside.path, root);
    // A link isn't a directory: nothing is there.
    await expect(pool.evict({ wantBytes: 1, signal: never })).rejects.toMatchObject({ code: "notFound" });
    expect(await exists(join(outside.path, "old/data"))).toBe(true);
    expect(await pool.read(never)).toMatchObject({ detected: false });
    await pool.close();
  });

  it("puts back what somebody begins to use while it is being evicted", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    const { ino } = await lstat(join(temp.path, "model/data"));
    let looks = 0;
    const { pool } = poolAt(temp.path, {
      findFilesInUse: () => {
        looks += 1;
        return Promise.resolve({ inodes: new Set(looks === 2 ? [ino] : []), complete: true });
      },
    });
    const result = await pool.evict({ wantBytes: 1, signal: never });
    expect(looks).toBe(2);
    expect(result).toMatchObject({ deleted: [], claimedBytes: 0 });
    expect(result.shortfall).toContain("somebody has begun to use it");
    expect(await readdir(temp.path)).toEqual(["model"]);
    expect(await readdir(join(temp.path, "model"))).toEqual(["data"]);
    await pool.close();
  });

  it("deletes nothing when it can't be found out what is in use", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    const { pool } = poolAt(temp.path, {
      findFilesInUse: () => Promise.resolve({ inodes: new Set(), complete: false }),
    });
    const { shortfall } = await pool.evict({ wantBytes: 1, signal: never });
    expect(shortfall).toContain("couldn't be found out");
    expect(await exists(join(temp.path, "model/data"))).toBe(true);
    await pool.close();
  });

  it("leaves what changed between the walk and the deletion", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    let isFirst = true;
    const { pool } = poolAt(temp.path, {
      findFilesInUse: async () => {
        if (isFirst) await makeFile(temp.path, "model/more", 1, 30);
        isFirst = false;
        return { inodes: new Set(), complete: true };
      },
    });
    const { shortfall } = await pool.evict({ wantBytes: 1, signal: never });
    expect(shortfall).toContain("it has changed or was used since");
    await pool.close();
  });

  it("doesn't let a ledger that throws end the eviction", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    const { pool, events } = poolAt(temp.path, {
      ledger: {
        append: () => {
          throw new Error("no room");
        },
      },
    });
    expect((await pool.evict({ wantBytes: 1, signal: never })).deleted).toHaveLength(1);
    expect(events).toEqual([`the ledger didn't take ${join(temp.path, "model")}: no room`]);
    await pool.close();
    // What was deleted stays written down in the cache itself, for the ledger of a later process.
    const [trash = ""] = await readdir(temp.path);
    const record = join(temp.path, trash, "record.json");
    const written = JSON.parse(await readFile(record, "utf8")) as object;
    await writeFile(record, JSON.stringify({ ...written, processStart: "a boot long ago/1" }));
    const deletions: CacheDeletion[] = [];
    const later = poolAt(temp.path, { ledger: { append: (deletion) => deletions.push(deletion) } });
    await later.pool.recover();
    await later.pool.close();
    expect(deletions).toMatchObject([{ key: "model", outcome: "deleted" }]);
    expect(await readdir(temp.path)).toEqual([]);
  });

  it("refuses a second eviction at the same time", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    const { pool } = poolAt(temp.path, {});
    const both = await Promise.allSettled(
      [1, 1].map((wantBytes) => pool.evict({ wantBytes, signal: never })),
    );
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(both[1]).toMatchObject({ reason: { code: "conflict" } });
    await pool.close();
  });

  it("isn't detected while its root is away, and is again when it comes back", async () => {
    await using temp = await tempDirectory();
    const root = join(temp.path, "cache");
    await makeFile(root, "model/data", 20 * KIB, 30);
    const { pool, clock } = poolAt(root, {});
    expect(await pool.read(never)).toMatchObject({ detected: true, stale: false });
    await rename(root, join(temp.path, "away"));
    await clock.advance(60_000);
    await pool.entries(never);
    await expect.poll(() => pool.read(never), WALKED).toMatchObject({ detected: false, capacityBytes: 0 });
    await rename(join(temp.path, "away"), root);
    await clock.advance(60_000);
    await expect.poll(() => pool.read(never), WALKED).toMatchObject({ detected: true });
    await pool.close();
  });

  it("isn't detected from the first reading on after its root has gone, and is stale where another took its place", async () => {
    await using temp = await tempDirectory();
    const root = join(temp.path, "cache");
    await makeFile(root, "model/data", 20 * KIB, 30);
    const { pool } = poolAt(root, {});
    const before = await pool.read(never);
    expect(before).toMatchObject({ detected: true, stale: false });
    await rename(root, join(temp.path, "away"));
    // No walk is due: the clock stands.
    expect(await pool.read(never)).toMatchObject({ detected: false, capacityBytes: 0 });
    await makeFile(root, "other/data", 60 * KIB, 30);
    expect(await pool.read(never)).toMatchObject({ stale: true, usedBytes: before.usedBytes });
    await expect.poll(() => pool.read(never), WALKED).toMatchObject({ detected: true, stale: false });
    expect((await pool.read(never)).usedBytes).toBeGreaterThan(60 * KIB);
    await pool.close();
  });
});
