import { open, opendir, readlink } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";
import type { CacheEntry, SharedPart } from "./cache-entry.js";
import { type CacheScan, type ScanOptions, TRASH_PREFIX } from "./cache-scan.js";
import { isGone } from "./file-error.js";
import { KEEP_FILE } from "./keep-patterns.js";
import { mapInBatches } from "./map-in-batches.js";
import { allocatedBytes, lastUsed, noFigures, statIfThere, type TreeFigures, TreeWalk } from "./walk-tree.js";

/** A repository's directory in the hub's cache: `models--org--name`. */
export const REPOSITORY_NAME = /^(models|datasets|spaces)--(.+)$/u;
const MAX_REF_BYTES = 200;

interface Blob extends SharedPart {
  readonly name: string;
  readonly inode: number;
  readonly usedAtMs: number;
  readonly createdAtMs: number;
  readonly mark: string;
  isUsed: boolean;
}

/**
 * Scans a cache of the Hugging Face hub: each revision of a repository is an entry, with the blobs that no other one
 * uses; so are blobs that no revision uses, and downloads that were broken off. Links are read and never followed.
 */
export async function scanHub(root: string, { only, ...options }: ScanOptions): Promise<CacheScan> {
  const walk = new TreeWalk(options);
  const entries: CacheEntry[] = [];
  const rootKept = (await statIfThere(join(root, KEEP_FILE))) !== null;
  for await (const child of await opendir(root)) {
    const { name } = child;
    if (only !== undefined && name !== only) continue;
    const isRepository = child.isDirectory() && REPOSITORY_NAME.test(name) && !name.startsWith(TRASH_PREFIX);
    if (!isRepository) {
      await walk.add(join(root, name), noFigures());
      continue;
    }
    const found = await new RepositoryScan(root, name, options).run(walk);
    entries.push(...(rootKept ? found.map((entry) => kept(entry, `the cache has a ${KEEP_FILE}`)) : found));
  }
  walk.finish();
  return { entries, totalBytes: walk.totalBytes, fileCount: walk.fileCount };
}

/** One repository's scan. */
class RepositoryScan {
  readonly #blobs = new Map<string, Blob>();
  /** Relative paths of the refs that name a revision. */
  readonly #refs = new Map<string, string[]>();

  constructor(
    private readonly root: string,
    private readonly name: string,
    private readonly options: Omit<ScanOptions, "only">,
  ) {}

  async run(walk: TreeWalk): Promise<CacheEntry[]> {
    const { name } = this;
    const figures = noFigures();
    // One walk counts everything there is, whatever it may be; the entries are looked at beside it.
    await walk.add(this.#path(name), figures);
    await this.#readBlobs();
    await this.#readRefs(`${name}/refs`);
    const revisions: CacheEntry[] = [];
    for (const revision of await this.#directories(`${name}/snapshots`)) {
      revisions.push(await this.#revision(revision));
    }
    const entries = [...revisions, ...this.#looseBlobs()];
    const reason = await this.#repositoryKeep(figures);
    return reason === null ? entries : entries.map((entry) => kept(entry, reason));
  }

  async #repositoryKeep(figures: TreeFigures): Promise<string | null> {
    if ((await statIfThere(this.#path(`${this.name}/${KEEP_FILE}`))) !== null) {
      return `its repository has a ${KEEP_FILE}`;
    }
    if (figures.obstacle !== null && !figures.obstacle.endsWith("is open in a process"))
      return figures.obstacle;
    const locks = await this.#names(`.locks/${this.name}`);
    for (const lock of locks) {
      const stats = await statIfThere(this.#path(`.locks/${this.name}/${lock}`));
      if (stats !== null && this.options.openInodes?.has(stats.ino) === true) {
        return "its repository is being downloaded (a lock is held)";
      }
    }
    return null;
  }

  async #readBlobs(): Promise<void> {
    const names = await this.#names(`${this.name}/blobs`);
    const all = await mapInBatches(names, (name) => statIfThere(this.#path(`${this.name}/blobs/${name}`)));
    for (const [i, name] of names.entries()) {
      const path = `${this.name}/blobs/${name}`;
      const stats = all[i] ?? null;
      if (stats?.isFile() !== true) continue;
      const { ino, size, mtimeMs, nlink, birthtimeMs } = stats;
      this.#blobs.set(name, {
        name,
        path,
        // Another name somewhere else: nothing would be free.
        bytes: nlink > 1 ? 0 : allocatedBytes(stats),
        inode: ino,
        usedAtMs: lastUsed(stats),
        createdAtMs: Math.floor(birthtimeMs > 0 ? birthtimeMs : mtimeMs),
        mark: `${ino}:${size}:${mtimeMs}:${stats.atimeMs}`,
        isUsed: false,
      });
    }
  }

  async #readRefs(directory: string): Promise<void> {
    for (const name of await this.#names(directory)) {
      const path = `${directory}/${name}`;
      const stats = await statIfThere(this.#path(path));
      if (stats?.isDirectory() === true) await this.#readRefs(path);
      if (stats?.isFile() !== true || stats.size > MAX_REF_BYTES) continue;
      const revision = await readSmall(this.#path(path));
      this.#refs.set(revision, [...(this.#refs.get(revision) ?? []), path]);
    }
  }

  async #revision(revision: string): Promise<CacheEntry> {
    const key = `${this.name}/snapshots/${revision}`;
    const used = new Map<string, Blob>();
    const links: string[] = [];
    const figures = noFigures();
    const tree = new TreeWalk({
      ...this.options,
      onFile: (path, stats) => {
        if (stats.isSymbolicLink()) links.push(path);
      },
    });
    await tree.add(this.#path(key), figures);
    tree.finish();
    const missingParts: string[] = [];
    for (const name of await mapInBatches(links, (path) => this.#blobNameOf(path))) {
      const blob = this.#blobs.get(name ?? "");
      if (blob === undefined) {
        if (name !== null) missingParts.push(`${this.name}/blobs/${name}`);
        continue;
      }
      blob.isUsed = true;
      used.set(blob.name, blob);
    }
    const blobs = [...used.values()];
    const openBlob = blobs.find(({ inode }) => this.options.openInodes?.has(inode));
    const isKept = (await statIfThere(this.#path(`${key}/${KEEP_FILE}`))) !== null;
    // What huggingface_hub remembers of it beside: files that it hasn't got, and the listing of those that it has.
    const notes: string[] = [];
    for (const path of [`${this.name}/.no_exist/${revision}`, `${this.name}/trees/${revision}.json`]) {
      if ((await statIfThere(this.#path(path))) !== null) notes.push(path);
    }
    return {
      key,
      kind: "revision",
      // Names first, so that nobody finds half of it: refs, then the revision, then its blobs.
      paths: [...(this.#refs.get(revision) ?? []), ...notes, key],
      parts: blobs.map(({ path, bytes }) => ({ path, bytes })),
      missingParts,
      bytes: figures.bytes,
      fileCount: figures.fileCount,
      createdAtMs: figures.createdAtMs,
      lastUsedAtMs: Math.max(figures.lastUsedAtMs, ...blobs.map(({ usedAtMs }) => usedAtMs)),
      keepReason: isKept
        ? `it has a ${KEEP_FILE}`
        : (figures.obstacle ?? (openBlob === undefined ? null : `${openBlob.path} is open in a process`)),
      restore: toDownload(this.name, revision),
      fingerprint: `${figures.fileCount}/${figures.checksum}/${blobs.map(({ mark }) => mark).join()}`,
    };
  }

  /** The name of the blob that a link of a revision means; null for one that leads elsewhere. */
  async #blobNameOf(path: string): Promise<string | null> {
    try {
      const target = normalize(join(dirname(path), await readlink(path)));
      const blobs = this.#path(`${this.name}/blobs`);
      return dirname(target) === blobs ? basename(target) : null;
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  #looseBlobs(): CacheEntry[] {
    const loose = [...this.#blobs.values()].filter(({ isUsed }) => !isUsed);
    return loose.map(({ path, bytes, inode, usedAtMs, createdAtMs, mark, name }) => ({
      key: path,
      kind: name.endsWith(".incomplete") ? "incomplete" : "blob",
      paths: [path],
      parts: [],
      missingParts: [],
      bytes,
      fileCount: 1,
      createdAtMs,
      lastUsedAtMs: usedAtMs,
      keepReason: this.options.openInodes?.has(inode) === true ? `${path} is open in a process` : null,
      restore: null,
      fingerprint: mark,
    }));
  }

  async #directories(path: string): Promise<string[]> {
    const names = await this.#names(path);
    const all = await mapInBatches(names, (name) => statIfThere(this.#path(`${path}/${name}`)));
    return names.filter((_, i) => all[i]?.isDirectory() === true);
  }

  /** The names in a directory; none when it isn't there, or is a link. */
  async #names(path: string): Promise<string[]> {
    const names: string[] = [];
    if ((await statIfThere(this.#path(path)))?.isDirectory() !== true) return names;
    try {
      for await (const { name } of await opendir(this.#path(path))) names.push(name);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    return names.sort();
  }

  #path(relative: string): string {
    return join(this.root, relative);
  }
}

function kept(entry: CacheEntry, keepReason: string): CacheEntry {
  return { ...entry, keepReason: entry.keepReason ?? keepReason };
}

/** The command of huggingface_hub that brings a revision back; null for a name that isn't one of the hub's. */
function toDownload(directory: string, revision: string): string | null {
  const [, kind, rest] = REPOSITORY_NAME.exec(directory) ?? [];
  const name = rest?.replace("--", "/");
  if (kind === undefined || name === undefined || !/^[\w.-]+(?:\/[\w.-]+)?$/u.test(name)) return null;
  if (!/^[\w.-]+$/u.test(revision)) return null;
  const type = kind === "models" ? "" : ` --repo-type ${kind.slice(0, -1)}`;
  return `hf download ${name} --revision ${revision}${type}`;
}

async function readSmall(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_REF_BYTES), 0, MAX_REF_BYTES, 0);
      return buffer.toString("utf8", 0, bytesRead).trim();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isGone(error)) return "";
    throw error;
  }
}
