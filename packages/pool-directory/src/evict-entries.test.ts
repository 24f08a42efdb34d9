import { lstat, readdir, readFile, readlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CacheDeletion, DirectoryPoolOptions } from "./index.js";
import { SafeDirectory } from "./safe-directory.js";
import { addRevision, exists, makeFile, poolAt, tempDirectory } from "./testing/cache-fixtures.js";
import { lockElsewhere } from "./testing/cache-processes.js";

const never = new AbortController().signal;
const KIB = 1024;
const EVERYTHING = 2 ** 40;
const REPO = "models--org--bert";

/** Runs `at` at each look at what is in use, which gives the inodes that are. The first look comes before the moves. */
function lookedAt(at: (look: number) => unknown): Pick<DirectoryPoolOptions, "findFilesInUse"> {
  let look = 0;
  return {
    findFilesInUse: async () => {
      look += 1;
      const found = await at(look);
      return { inodes: new Set(Array.isArray(found) ? (found as number[]) : []), complete: true };
    },
  };
}

/** What a hub's directory needs to be whole: no trash, and each link of its snapshots leads to something. */
async function expectWhole(root: string): Promise<void> {
  expect((await readdir(root)).filter((name) => name.startsWith(".continuum"))).toEqual([]);
  const all = await readdir(join(root, REPO, "snapshots"), { recursive: true, withFileTypes: true });
  for (const link of all.filter((each) => each.isSymbolicLink())) {
    const path = join(link.parentPath, link.name);
    expect(await exists(path), `${path} -> ${await readlink(path)}`).toBe(true);
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("evicting several entries", () => {
  it("looks at their repository a few times, however many go", { timeout: 60_000 }, async () => {
    await using temp = await tempDirectory();
    for (let i = 0; i < 100; i += 1) {
      await addRevision(temp.path, REPO, `r${i}`, { own: [`b${i}`, 4, 20], all: ["shared", 4, 20] });
    }
    let looks = 0;
    const { pool } = poolAt(
      temp.path,
      lookedAt(() => (looks += 1)),
    );
    const { deleted } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted).toHaveLength(100);
    // Before and after 16, 16, 32 and 36 are moved.
    expect(looks).toBe(8);
    expect(await readdir(temp.path)).toEqual([]);
    await pool.close();
  });

  it("puts back with one that is in use what it shares with those after it", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, REPO, "aaa", { own: ["b1", 4, 40], all: ["shared", 40, 20] });
    await addRevision(temp.path, REPO, "bbb", { own: ["b2", 4, 30], all: ["shared", 40, 20] });
    await addRevision(temp.path, REPO, "ccc", { own: ["b3", 4, 25] });
    const { ino } = await lstat(join(temp.path, REPO, "blobs/b1"));
    const { pool } = poolAt(
      temp.path,
      lookedAt((look) => (look === 2 ? [ino] : [])),
    );
    const { deleted, shortfall } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted.map(({ key }) => key)).toEqual([`${REPO}/snapshots/ccc`]);
    expect(shortfall).toContain("somebody has begun to use it");
    expect((await readdir(join(temp.path, REPO, "snapshots"))).sort()).toEqual(["aaa", "bbb"]);
    await expectWhole(temp.path);
    await pool.close();
  });

  it("puts back all that isn't committed when it is aborted in the last look", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, REPO, "aaa", { own: ["b1", 4, 40] }, "main");
    const stop = new AbortController();
    const { pool } = poolAt(
      temp.path,
      lookedAt((look) => {
        if (look === 2) stop.abort();
      }),
    );
    const { deleted, shortfall } = await pool.evict({ wantBytes: EVERYTHING, signal: stop.signal });
    expect([deleted, shortfall]).toEqual([[], "the eviction was aborted"]);
    expect(await exists(join(temp.path, REPO, "refs/main"))).toBe(true);
    await expectWhole(temp.path);
    await pool.close();
  });

  it("puts back all of it when the last look fails", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, REPO, "aaa", { own: ["b1", 4, 40] });
    const { pool } = poolAt(
      temp.path,
      lookedAt((look) => {
        if (look === 2) throw new Error("no more files");
      }),
    );
    const { deleted, shortfall } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted).toEqual([]);
    expect(shortfall).toContain("no more files");
    await expectWhole(temp.path);
    await pool.close();
  });

  it("puts back a repository's last revision when a download has begun meanwhile", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, REPO, "aaa", { own: ["b1", 4, 40] });
    const lock = join(temp.path, ".locks", REPO, "b9.lock");
    await makeFile(temp.path, `.locks/${REPO}/b9.lock`, 0, 30);
    await using holder = await lockElsewhere(lock);
    expect(holder.pid).toBeGreaterThan(0);
    const { ino } = await lstat(lock);
    const { pool } = poolAt(
      temp.path,
      lookedAt((look) => (look === 1 ? [] : [ino])),
    );
    const { deleted, shortfall } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted).toEqual([]);
    expect(shortfall).toContain("its repository is being downloaded");
    await expectWhole(temp.path);
    await pool.close();
  });

  it("puts back what was used, or changed, after it was looked at and before it was out of sight", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "model/data", 20 * KIB, 30);
    await makeFile(temp.path, "other/data", 20 * KIB, 40);
    const { pool } = poolAt(
      temp.path,
      lookedAt(async (look) => {
        if (look !== 2) return;
        const trashes = (await readdir(temp.path)).filter((name) => name.startsWith(".continuum"));
        expect(trashes).toHaveLength(2);
        for (const trash of trashes) {
          const path = join(temp.path, trash, "items/0/data");
          const { atimeMs, mtime } = await lstat(path);
          // As if it had been read a moment before: an access time a second later than it was.
          if (Date.now() - atimeMs < 35 * 86_400_000) await utimes(path, new Date(atimeMs + 1_000), mtime);
        }
      }),
    );
    const { deleted, shortfall } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted.map(({ key }) => key)).toEqual(["other"]);
    expect(shortfall).toContain("model: it has changed or was used since");
    expect(await readdir(temp.path)).toEqual(["model"]);
    await pool.close();
  });

  it("puts back, with one that is touched while others are deleted, what those after it took with them", async () => {
    await using temp = await tempDirectory();
    await addRevision(temp.path, REPO, "aaa", { own: ["b1", 4, 50] });
    await addRevision(temp.path, REPO, "bbb", { own: ["b2", 4, 40], all: ["shared", 40, 30] });
    await addRevision(temp.path, REPO, "ccc", { own: ["b3", 4, 30], all: ["shared", 40, 30] });
    const { pool } = poolAt(temp.path, {
      ledger: {
        append: async ({ key }) => {
          if (!key.endsWith("aaa")) return;
          for (const trash of (await readdir(temp.path)).filter((name) => name.startsWith(".continuum"))) {
            const record = await readFile(join(temp.path, trash, "record.json"), "utf8");
            const { paths } = JSON.parse(record) as { readonly paths: readonly string[] };
            const at = paths.indexOf(`${REPO}/blobs/b2`);
            if (at >= 0) await utimes(join(temp.path, trash, `items/${at}`), new Date(), new Date());
          }
        },
      },
    });
    const { deleted } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted.map(({ key }) => key)).toEqual([`${REPO}/snapshots/aaa`]);
    expect((await readdir(join(temp.path, REPO, "snapshots"))).sort()).toEqual(["bbb", "ccc"]);
    await expectWhole(temp.path);
    await pool.close();
  });

  it("deletes what is out of sight before it deletes anything without a last look for want of room", async () => {
    await using temp = await tempDirectory();
    for (const name of ["a", "b", "c"]) await makeFile(temp.path, `${name}/data`, 20 * KIB, 30);
    // Room for one trash at a time: its directory and the one for its items.
    const { value: make } = Object.getOwnPropertyDescriptor(SafeDirectory.prototype, "make") as {
      readonly value: (this: SafeDirectory, name: string) => Promise<boolean>;
    };
    vi.spyOn(SafeDirectory.prototype, "make").mockImplementation(async function (
      this: SafeDirectory,
      name: string,
    ) {
      const isTrash = name.startsWith(".continuum");
      const others = isTrash ? (await this.names()).filter((each) => each.startsWith(".continuum")) : [];
      if (others.length > 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      return await make.call(this, name);
    });
    const records: CacheDeletion[] = [];
    const { pool } = poolAt(temp.path, { ledger: { append: (record) => records.push(record) } });
    const { deleted } = await pool.evict({ wantBytes: EVERYTHING, signal: never });
    expect(deleted.map(({ key }) => key)).toEqual(["a", "b", "c"]);
    expect(records.map(({ outcome }) => outcome)).toEqual(["deleted", "deleted", "deleted"]);
    expect(await readdir(temp.path)).toEqual([]);
    await pool.close();
  });
});
