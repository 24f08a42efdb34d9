import { PressureBroker } from "@continuum/broker-core";
import { describePoolContract } from "@continuum/broker-core/testing";
import { spawn } from "node:child_process";
import { once } from "node:events";
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
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CacheDeletion, CacheRootError, DirectoryCachePool } from "./index.js";
import {
  addRevision,
  ageLink,
  allocated,
  exists,
  makeFile,
  poolAt,
  tempDirectory,
} from "./testing/cache-fixtures.js";

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
});

describe("what can be a cache's root", () => {
  it.each([
    ["relative", "isn't an absolute path"],
    ["/", "is the root of a filesystem"],
    [homedir(), "is a home directory or above one"],
    [join(homedir(), ".."), "not a cache"],
    ["/nonexistent/cache", "isn't there"],
    ["/etc/passwd", "isn't a directory"],
  ])("not %s: %s", (root, message) => {
    const make = (): DirectoryCachePool =>
      new DirectoryCachePool({ name: "c", root, maxBytes: 1, evict: "off", minAgeMs: 0 });
    expect(make).toThrow(CacheRootError);
    expect(make).toThrow(message);
  });
});

describe("the home of the hub's cache, which has tokens and other caches beside it", () => {
  it("is refused, also where the hub is a link, and the hub in it is not", async () => {
    await using temp = await tempDirectory();
    const home = join(temp.path, "huggingface");
    const elsewhere = join(temp.path, "disk");
    await addRevision(elsewhere, "models--a--b", "aaa", { data: ["b1", 4, 40] });
    await makeFile(home, "xet/log", 40, 400);
    await symlink(elsewhere, join(home, "hub"));
    expect(() => poolAt(home, {})).toThrow(`give ${join(home, "hub")}`);
    await rm(join(home, "hub"));
    await rename(elsewhere, join(home, "hub"));
    expect(() => poolAt(home, {})).toThrow(CacheRootError);
    expect(() => poolAt(home, {})).toThrow(`give ${join(home, "hub")}`);
    await poolAt(join(home, "hub"), {}).pool.close();
  });

  it.each(["token", "stored_tokens"])("is refused for its %s, before there is a hub", async (name) => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, name, 40, 400);
    expect(() => poolAt(temp.path, {})).toThrow(`holds access tokens (${name})`);
  });

  it("loses nothing when it became one while it was watched", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "old/data", 20 * KIB, 30);
    const { pool, clock } = poolAt(temp.path, {});
    expect(await pool.read(never)).toMatchObject({ detected: true });
    await makeFile(temp.path, "token", 40, 400);
    await addRevision(join(temp.path, "hub"), "models--a--b", "aaa", { data: ["b1", 4, 40] });
    await clock.advance(60_000);
    await expect(pool.evict({ wantBytes: 2 ** 30, signal: never })).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("beside other things") as string,
    });
    expect(await exists(join(temp.path, "token"))).toBe(true);
    expect(await exists(join(temp.path, "hub/models--a--b/snapshots/aaa/data"))).toBe(true);
    expect(await exists(join(temp.path, "old/data"))).toBe(true);
    await pool.close();
  });
});

describe("a cache of the Hugging Face hub", () => {
  it("evicts revisions with the blobs that only they use, and the refs that name them", async () => {
    await using temp = await tempDirectory();
    const repo = "models--org--bert";
    await addRevision(
      temp.path,
      repo,
      "aaa",
      { "model.bin": ["b1", 400, 40], "config.json": ["shared", 4, 9] },
      "main",
    );
    await addRevision(
      temp.path,
      repo,
      "bbb",
      { "model.bin": ["b2", 100, 9], "config.json": ["shared", 4, 9] },
      "pr/1",
    );
    const records: CacheDeletion[] = [];
    const { pool } = poolAt(temp.path, { ledger: { append: (record) => records.push(record) } });
    const { layout, choice } = await pool.status(never);
    expect(layout).toBe("huggingface");
    expect(choice.chosen).toHaveLength(2);

    const { deleted, shortfall } = await pool.evict({ wantBytes: 100 * KIB, signal: never });
    expect(shortfall).toBeNull();
    expect(deleted.map(({ key }) => key)).toEqual([`${repo}/snapshots/aaa`]);
    expect(await readdir(join(temp.path, repo, "snapshots"))).toEqual(["bbb"]);
    expect((await readdir(join(temp.path, repo, "blobs"))).sort()).toEqual(["b2", "shared"]);
    expect(await exists(join(temp.path, repo, "refs/main"))).toBe(false);
    expect(await exists(join(temp.path, repo, "refs/pr/1"))).toBe(true);
    expect(await exists(join(temp.path, repo, "snapshots/bbb/config.json"))).toBe(true);
    expect(records[0]).toMatchObject({
      kind: "revision",
      restoreCommand: "hf download org/bert --revision aaa",
      reason: "last used 9 d ago; hf download org/bert --revision aaa brings it back",
    });
    await pool.close();
  });

  it("leaves nothing of a repository whose last revision went", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, "datasets--org--squad", "ccc", { data: ["d1", 100, 40] }, "main");
    await addRevision(temp.path, "datasets--org--squad", "ddd", { data: ["d1", 100, 40] });
    await addRevision(temp.path, "models--gpt2", "eee", { data: ["d2", 100, 1] }, "main");
    const { pool } = poolAt(temp.path, {});
    // Both are needed: what they share goes with the last of them.
    const { deleted } = await pool.evict({ wantBytes: 90 * KIB, signal: never });
    expect(deleted.map(({ key }) => key).sort()).toEqual([
      "datasets--org--squad/snapshots/ccc",
      "datasets--org--squad/snapshots/ddd",
    ]);
    expect(await readdir(temp.path)).toEqual(["models--gpt2"]);
    await pool.close();
  });

  it("knows the use of a revision by its blobs, and counts downloads that were broken off", async () => {
    await using temp = await tempDirectory();
    const repo = "models--org--llm";
    await addRevision(temp.path, repo, "aaa", { "a.bin": ["b1", 40, 2], "b.bin": ["b2", 40, 90] });
    await makeFile(temp.path, `${repo}/blobs/x.incomplete`, 40 * KIB, 30);
    await makeFile(temp.path, `${repo}/blobs/y.incomplete`, 40 * KIB, 1);
    await makeFile(temp.path, `${repo}/blobs/orphan`, 40 * KIB, 30);
    const { pool } = poolAt(temp.path, {});
    const { deleted } = await pool.evict({ wantBytes: 2 ** 30, signal: never });
    expect(deleted.map(({ key, kind }) => `${kind} ${key}`).sort()).toEqual([
      `blob ${repo}/blobs/orphan`,
      `incomplete ${repo}/blobs/x.incomplete`,
    ]);
    expect((await readdir(join(temp.path, repo, "blobs"))).sort()).toEqual(["b1", "b2", "y.incomplete"]);
    await pool.close();
  });

  it("leaves a repository alone whose lock is held, and one that is pinned", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, "models--a--busy", "aaa", { data: ["b1", 40, 90] });
    await addRevision(temp.path, "models--a--pet", "bbb", { data: ["b2", 40, 90] });
    await makeFile(temp.path, "models--a--pet/.continuum-keep", 0, 30);
    await makeFile(temp.path, ".locks/models--a--busy/b9.lock", 0, 30);
    await using holder = await lockElsewhere(join(temp.path, ".locks/models--a--busy/b9.lock"));
    expect(holder.pid).toBeGreaterThan(0);
    const { pool } = poolAt(temp.path, {});
    const { deleted, shortfall } = await pool.evict({ wantBytes: 2 ** 30, signal: never });
    expect(deleted).toEqual([]);
    expect(shortfall).toContain("lock is held");
    await pool.close();
  });

  it("puts a revision back whose blob another one comes to use meanwhile", async () => {
    await using temp = await tempDirectory();
    const repo = "models--org--llm";
    await addRevision(temp.path, repo, "aaa", { "a.bin": ["b1", 40, 90] }, "main");
    let looks = 0;
    const { pool } = poolAt(temp.path, {
      findFilesInUse: async () => {
        looks += 1;
        if (looks === 2) {
          // The downloader had seen the blob before it was moved, and links it now.
          await mkdir(join(temp.path, repo, "snapshots/new"), { recursive: true });
          await symlink("../../blobs/b1", join(temp.path, repo, "snapshots/new/a.bin"));
        }
        return { inodes: new Set(), complete: true };
      },
    });
    const { deleted, shortfall } = await pool.evict({ wantBytes: 1, signal: never });
    expect(deleted).toEqual([]);
    expect(shortfall).toContain("another revision has come to use it");
    for (const path of ["snapshots/aaa/a.bin", "snapshots/new/a.bin", "refs/main"]) {
      expect(await exists(join(temp.path, repo, path)), path).toBe(true);
    }
    await pool.close();
  });

  it("takes no link for a blob that leads out of the repository", async () => {
    await using temp = await tempDirectory();
    await using outside = await tempDirectory();
    await makeFile(outside.path, "blobs/secret", 40 * KIB, 90);
    const repo = "models--org--evil";
    await addRevision(temp.path, repo, "aaa", { "a.bin": ["b1", 40, 90] });
    await symlink(join(outside.path, "blobs/secret"), join(temp.path, repo, "snapshots/aaa/x"));
    await symlink("../../../../../etc/passwd", join(temp.path, repo, "snapshots/aaa/y"));
    await symlink("../../blobs/..", join(temp.path, repo, "snapshots/aaa/z"));
    for (const name of ["x", "y", "z"]) await ageLink(join(temp.path, repo, "snapshots/aaa", name), 90);
    const { pool } = poolAt(temp.path, {});
    const { deleted } = await pool.evict({ wantBytes: 2 ** 30, signal: never });
    expect(deleted).toHaveLength(1);
    expect(await readdir(join(outside.path, "blobs"))).toEqual(["secret"]);
    expect(await readdir(temp.path)).toEqual([]);
    await pool.close();
  });

  it("is safe beside a downloader that writes, renames and links", { timeout: 60_000 }, async () => {
    await using temp = await tempDirectory();
    const repo = "models--org--live";
    for (let i = 0; i < 6; i++)
      await addRevision(temp.path, repo, `old${i}`, { data: [`o${i}`, 40, 60 + i] });
    await using writer = await downloadElsewhere(join(temp.path, repo), 40);
    const { pool } = poolAt(temp.path, {});
    for (let round = 0; round < 6; round++) await pool.evict({ wantBytes: 30 * KIB, signal: never });
    expect(await writer.ended).toBe(0);
    // Everything that was downloaded is there and readable.
    const names = (await readdir(join(temp.path, repo, "snapshots"))).filter((name) =>
      name.startsWith("new"),
    );
    expect(names).toHaveLength(40);
    for (const name of names)
      expect(await exists(join(temp.path, repo, "snapshots", name, "data"))).toBe(true);
    expect(
      (await readdir(join(temp.path, repo, "snapshots"))).filter((name) => name.startsWith("old")),
    ).toEqual([]);
    await pool.close();
  });
});

async function openElsewhere(path: string): Promise<{ pid: number } & AsyncDisposable> {
  return program(
    `require("fs").openSync(process.argv[1], "r"); console.log("ready"); setInterval(() => {}, 1e6)`,
    [path],
  );
}

/** Holds a lock as huggingface_hub does: flock on a file. */
async function lockElsewhere(path: string): Promise<{ pid: number } & AsyncDisposable> {
  const child = spawn("flock", [path, "sh", "-c", "echo ready; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}

async function program(source: string, args: readonly string[]): Promise<{ pid: number } & AsyncDisposable> {
  const child = spawn(process.execPath, ["-e", source, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function downloadElsewhere(
  repository: string,
  count: number,
): Promise<{ ended: Promise<number> } & AsyncDisposable> {
  const source = `
    const fs = require("fs"), path = require("path");
    const [repo, count] = process.argv.slice(1);
    console.log("ready");
    for (let i = 0; i < Number(count); i++) {
      const blob = path.join(repo, "blobs", "n" + i);
      fs.writeFileSync(blob + ".incomplete", Buffer.alloc(20_000));
      fs.renameSync(blob + ".incomplete", blob);
      const snapshot = path.join(repo, "snapshots", "new" + i);
      fs.mkdirSync(snapshot, { recursive: true });
      fs.symlinkSync("../../blobs/n" + i, path.join(snapshot, "data"));
      fs.readFileSync(path.join(snapshot, "data"));
    }`;
  const child = spawn(process.execPath, ["-e", source, repository, `${count}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(([code]) => code as number);
  await once(child.stdout, "data");
  return {
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
