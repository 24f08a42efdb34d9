import { createHash } from "node:crypto";
import {
  lstat,
  lutimes,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";
import { exists, poolAt, tempDirectory } from "./testing/cache-fixtures.js";

const never = new AbortController().signal;
const OLD = new Date(2020, 0);

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  await utimes(path, OLD, OLD);
}

/**
 * Lays a cache out step by step as `hf_hub_download` and `snapshot_download` of huggingface_hub 1.x do it
 * (file_download.py, _tree_cache.py): CACHEDIR.TAG and .locks in the root; in a repository blobs by etag, links relative
 * to each file of a revision, refs that may be nested, empty files in .no_exist, listings in trees, and downloads that
 * were broken off as ETAG.8HEX.incomplete.
 */
class HubWriter {
  constructor(
    readonly root: string,
    readonly repository: string,
  ) {}

  async download(
    commit: string,
    files: Readonly<Record<string, string>>,
    refs: readonly string[],
  ): Promise<void> {
    const base = join(this.root, this.repository);
    await put(join(this.root, "CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\\n");
    for (const ref of refs) await put(join(base, "refs", ref), commit);
    for (const [name, content] of Object.entries(files)) {
      const etag = createHash("sha256").update(content).digest("hex");
      await put(join(this.root, ".locks", this.repository, `${etag}.lock`), "");
      const blob = join(base, "blobs", etag);
      await put(blob, Buffer.alloc(50_000, content));
      const pointer = join(base, "snapshots", commit, name);
      await mkdir(dirname(pointer), { recursive: true });
      await symlink(relative(dirname(pointer), blob), pointer);
      await lutimes(pointer, OLD, OLD);
    }
    await put(join(base, ".no_exist", commit, "added_tokens.json"), "");
    await put(join(base, "trees", `${commit}.json`), '{"format_version":1,"files":{}}');
  }

  async breakOff(): Promise<void> {
    const name = `${"e".repeat(64)}.0a1b2c3d.incomplete`;
    await put(join(this.root, this.repository, "blobs", name), Buffer.alloc(50_000, 1));
  }
}

/** What `scan_cache_dir` takes for a damaged repository, and what it would never find: as its source has it. */
async function faults(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const repository of (await readdir(root)).filter((name) =>
    /^(models|datasets|spaces)--/u.test(name),
  )) {
    const base = join(root, repository);
    const revisions = await readdir(join(base, "snapshots")).catch(() => null);
    if (revisions === null) {
      found.push(`${repository}: snapshots dir doesn't exist`);
      continue;
    }
    for (const path of await filesOf(join(base, "refs"))) {
      const commit = await readFile(path, "utf8");
      if (!revisions.includes(commit)) found.push(`${path} refers to the missing ${commit}`);
    }
    for (const path of await filesOf(join(base, "snapshots"))) {
      if (!(await exists(path))) found.push(`${path} is broken: ${await readlink(path)}`);
    }
    const notes = [
      ...(await readdir(join(base, ".no_exist")).catch(() => [])),
      ...(await readdir(join(base, "trees")).catch(() => [])).map((name) => name.replace(".json", "")),
    ];
    for (const commit of notes) if (!revisions.includes(commit)) found.push(`notes of ${commit} stayed`);
  }
  return found;
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

it(
  "a hub as huggingface_hub lays it out is whole after each eviction, and leaves no skeleton",
  { timeout: 60_000 },
  async () => {
    await using temp = await tempDirectory();
    const bert = new HubWriter(temp.path, "models--google--bert");
    await bert.download(
      "a".repeat(40),
      { "config.json": "shared", "onnx/deep/model.onnx": "onnx", "model.safetensors": "one" },
      ["main", "refs/pr/1"],
    );
    await bert.download("b".repeat(40), { "config.json": "shared", "model.safetensors": "two" }, ["v2"]);
    const squad = new HubWriter(temp.path, "datasets--rajpurkar--squad");
    await squad.download("c".repeat(40), { "data/train.parquet": "rows" }, ["refs/convert/parquet"]);
    await squad.breakOff();
    // As on a filesystem without links: the file itself stands in the revision.
    await put(join(temp.path, `models--gpt2/snapshots/${"d".repeat(40)}/model.bin`), Buffer.alloc(50_000, 4));
    await put(join(temp.path, "models--gpt2/refs/main"), "d".repeat(40));
    expect(await faults(temp.path)).toEqual([]);

    const { pool } = poolAt(temp.path, {});
    const { layout, choice } = await pool.status(never);
    expect(layout).toBe("huggingface");
    expect(choice.kept).toEqual([]);
    expect(choice.chosen.map(({ entry }) => [entry.kind, entry.restore]).sort()).toEqual(
      [
        ["incomplete", null],
        ["revision", `hf download google/bert --revision ${"a".repeat(40)}`],
        ["revision", `hf download google/bert --revision ${"b".repeat(40)}`],
        ["revision", `hf download gpt2 --revision ${"d".repeat(40)}`],
        ["revision", `hf download rajpurkar/squad --revision ${"c".repeat(40)} --repo-type dataset`],
      ].sort(),
    );
    let rounds = 0;
    for (; rounds < 10; rounds += 1) {
      const { deleted } = await pool.evict({ wantBytes: 1, signal: never });
      expect(await faults(temp.path)).toEqual([]);
      if (deleted.length === 0) break;
    }
    expect(rounds).toBe(5);
    expect((await readdir(temp.path)).sort()).toEqual([".locks", "CACHEDIR.TAG"]);
    expect((await lstat(join(temp.path, "CACHEDIR.TAG"))).isFile()).toBe(true);
    await pool.close();
    // Nor does a process that never saw a repository in it take its locks for entries.
    const { pool: next } = poolAt(temp.path, {});
    expect(await next.status(never)).toMatchObject({
      layout: "huggingface",
      choice: { chosen: [], kept: [] },
    });
    await next.close();
  },
);
