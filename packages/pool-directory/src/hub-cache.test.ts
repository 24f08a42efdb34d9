import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CacheDeletion } from "./index.js";
import { addRevision, ageLink, exists, makeFile, poolAt, tempDirectory } from "./testing/cache-fixtures.js";
import { downloadElsewhere, lockElsewhere } from "./testing/cache-processes.js";

const never = new AbortController().signal;
const KIB = 1024;

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
