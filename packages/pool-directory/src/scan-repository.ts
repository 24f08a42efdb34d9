import type { Stats } from "node:fs";
import { open, opendir, readlink } from "node:fs/promises";
import { basename, dirname, join, normalize, sep } from "node:path";
import type { CacheEntry, SharedPart } from "./cache-entry.js";
import { isGone, systemCode } from "./file-error.js";
import { KEEP_FILE } from "./keep-patterns.js";
import { mapInBatches } from "./map-in-batches.js";
import {
  allocatedBytes,
  createdAt,
  lastUsed,
  noFigures,
  obstacleOf,
  statIfThere,
  type Tree,
  type TreeFigures,
  type TreeVisitor,
} from "./walk-tree.js";

/** A repository's directory in the hub's cache: `models--org--name`. */
export const REPOSITORY_NAME = /^(models|datasets|spaces)--(.+)$/u;
const MAX_REF_BYTES = 200;

interface Blob extends SharedPart {
  readonly name: string;
  readonly inode: number;
  readonly usedAtMs: number;
  readonly createdAtMs: number;
  isUsed: boolean;
}

/** A directory in `snapshots`. */
interface Revision {
  readonly name: string;
  readonly figures: TreeFigures;
  /** Absolute paths of its symbolic links. */
  readonly links: string[];
  /** Blobs that its links name, each once; and those of them that aren't there. */
  readonly blobs: Set<Blob>;
  readonly missingParts: string[];
  isPinned: boolean;
}

/** One repository of a hub's cache: what a walk sees of it, each file once, and the entries that come of it. */
export class RepositoryScan implements TreeVisitor {
  readonly #figures = noFigures();
  readonly #blobs = new Map<string, Blob>();
  readonly #revisions = new Map<string, Revision>();
  /** Relative paths of what may be a ref, and of the refs that name a revision. */
  readonly #refPaths: string[] = [];
  readonly #refs = new Map<string, string[]>();
  /** What huggingface_hub remembers of revisions beside: files that they haven't got, and listings of those they have. */
  readonly #notes = new Set<string>();
  #isPinned = false;
  #isLocked = false;

  constructor(
    private readonly root: string,
    readonly name: string,
    private readonly openInodes: ReadonlySet<number> | undefined,
  ) {}

  /** Whether a download holds one of its locks, as far as it is known what is open. */
  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** What is to be walked before the rest. */
  get tree(): Tree {
    return { path: join(this.root, this.name), figures: this.#figures, visitor: this };
  }

  /** Reads what its links and refs mean, and whether it is locked; after the walk, before `entries`. */
  async readNames(): Promise<void> {
    await Promise.all([this.#readRefs(), this.#readLinks(), this.#lookForLocks()]);
  }

  figuresFor(directory: string, above: TreeFigures): TreeFigures {
    const [place, revision = "", ...below] = this.#partsOf(directory);
    if (below.length > 0 || revision === "") return above;
    if (place === ".no_exist") return noFigures();
    if (place !== "snapshots") return above;
    const figures = noFigures();
    const nothing = { links: [], blobs: new Set<Blob>(), missingParts: [], isPinned: false };
    this.#revisions.set(revision, { name: revision, figures, ...nothing });
    return figures;
  }

  see(path: string, stats: Stats, checksum: number): void {
    const [place, name = "", ...below] = this.#partsOf(path);
    if (place === KEEP_FILE && name === "") this.#isPinned = true;
    if (name === "") return;
    if (place === "snapshots") {
      const revision = this.#revisions.get(name);
      if (below.length === 1 && below[0] === KEEP_FILE && revision !== undefined) revision.isPinned = true;
      if (stats.isSymbolicLink()) revision?.links.push(path);
    } else if (place === "blobs") {
      if (below.length === 0 && stats.isFile()) this.#blobs.set(name, this.#toBlob(name, stats, checksum));
    } else if (place === "refs") {
      if (stats.isFile() && stats.size <= MAX_REF_BYTES)
        this.#refPaths.push([this.name, place, name, ...below].join("/"));
    } else if (below.length === 0 && (place === ".no_exist" || place === "trees")) {
      this.#notes.add(`${place}/${name}`);
    }
  }

  /** Its revisions, and what no revision uses; `reason` keeps them all. */
  entries(reason: string | null): readonly CacheEntry[] {
    const revisions = [...this.#revisions.values()].map((revision) => this.#toEntry(revision));
    const loose = [...this.#blobs.values()].filter(({ isUsed }) => !isUsed);
    const entries = [...revisions, ...loose.map((blob) => this.#toLooseEntry(blob))];
    const keepReason = this.#keepReason() ?? reason;
    if (keepReason === null) return entries;
    return entries.map((entry) => ({ ...entry, keepReason: entry.keepReason ?? keepReason }));
  }

  #keepReason(): string | null {
    if (this.#isPinned) return `its repository has a ${KEEP_FILE}`;
    // What can't be read or isn't ours to judge may use any of its blobs.
    const all = [this.#figures, ...[...this.#revisions.values()].map(({ figures }) => figures)];
    const obstacle = all.find((each) => each.obstacle !== null)?.obstacle;
    return obstacle ?? (this.#isLocked ? "its repository is being downloaded (a lock is held)" : null);
  }

  #toBlob(name: string, stats: Stats, checksum: number): Blob {
    return {
      name,
      path: `${this.name}/blobs/${name}`,
      // Another name somewhere else: nothing would be free.
      bytes: stats.nlink > 1 ? 0 : allocatedBytes(stats),
      checksum,
      inode: stats.ino,
      usedAtMs: lastUsed(stats),
      createdAtMs: createdAt(stats),
      isUsed: false,
    };
  }

  #toEntry({ name, figures, blobs, missingParts, isPinned }: Revision): CacheEntry {
    const key = `${this.name}/snapshots/${name}`;
    const openBlob = [...blobs].find(({ inode }) => this.openInodes?.has(inode));
    const openReason = openBlob === undefined ? null : `${openBlob.path} is open in a process`;
    const notes = [`.no_exist/${name}`, `trees/${name}.json`].filter((path) => this.#notes.has(path));
    let lastUsedAtMs = figures.lastUsedAtMs;
    for (const { usedAtMs } of blobs) lastUsedAtMs = Math.max(lastUsedAtMs, usedAtMs);
    return {
      key,
      kind: "revision",
      // Names first, so that nobody finds half of it: refs, then the revision, then its blobs.
      paths: [...(this.#refs.get(name) ?? []), ...notes.map((path) => `${this.name}/${path}`), key],
      parts: [...blobs].map(({ path, bytes, checksum }) => ({ path, bytes, checksum })),
      missingParts,
      bytes: figures.bytes,
      fileCount: figures.fileCount,
      createdAtMs: figures.createdAtMs,
      lastUsedAtMs,
      keepReason: isPinned ? `it has a ${KEEP_FILE}` : (obstacleOf(figures) ?? openReason),
      restore: toDownload(this.name, name),
      checksum: figures.checksum,
    };
  }

  #toLooseEntry({ name, path, bytes, inode, usedAtMs, createdAtMs, checksum }: Blob): CacheEntry {
    return {
      key: path,
      kind: name.endsWith(".incomplete") ? "incomplete" : "blob",
      paths: [path],
      parts: [],
      missingParts: [],
      bytes,
      fileCount: 1,
      createdAtMs,
      lastUsedAtMs: usedAtMs,
      keepReason: this.openInodes?.has(inode) === true ? `${path} is open in a process` : null,
      restore: null,
      checksum,
    };
  }

  async #readRefs(): Promise<void> {
    this.#refPaths.sort();
    const texts = await mapInBatches(this.#refPaths, (path) => readSmall(join(this.root, path)));
    for (const [i, path] of this.#refPaths.entries()) {
      const revision = texts[i] ?? "";
      const paths = this.#refs.get(revision);
      if (paths === undefined) this.#refs.set(revision, [path]);
      else paths.push(path);
    }
  }

  async #readLinks(): Promise<void> {
    const links = [...this.#revisions.values()].flatMap((revision) =>
      revision.links.map((path) => ({ path, revision })),
    );
    const names = await mapInBatches(links, ({ path }) => this.#blobNameOf(path));
    for (const [i, { revision }] of links.entries()) {
      const name = names[i] ?? null;
      if (name === null) continue;
      const blob = this.#blobs.get(name);
      if (blob === undefined) {
        revision.missingParts.push(`${this.name}/blobs/${name}`);
        continue;
      }
      blob.isUsed = true;
      revision.blobs.add(blob);
    }
  }

  /** The name of the blob that a link of a revision means; null for one that leads elsewhere. */
  async #blobNameOf(path: string): Promise<string | null> {
    try {
      const target = normalize(join(dirname(path), await readlink(path)));
      return dirname(target) === join(this.root, this.name, "blobs") ? basename(target) : null;
    } catch (error) {
      // Gone meanwhile, or something else now.
      if (isGone(error) || systemCode(error) === "EINVAL") return null;
      throw error;
    }
  }

  /** Whether one of its locks is held; they stand in a directory of their own beside the repositories. */
  async #lookForLocks(): Promise<void> {
    const { openInodes } = this;
    if (openInodes === undefined) return;
    const directory = join(this.root, ".locks", this.name);
    if ((await statIfThere(directory))?.isDirectory() !== true) return;
    const paths: string[] = [];
    try {
      for await (const { name } of await opendir(directory)) paths.push(join(directory, name));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    const all = await mapInBatches(paths, statIfThere);
    this.#isLocked = all.some((stats) => stats !== null && openInodes.has(stats.ino));
  }

  /** The parts of a path below the repository. */
  #partsOf(path: string): readonly string[] {
    return path.slice(this.root.length + this.name.length + 2).split(sep);
  }
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
