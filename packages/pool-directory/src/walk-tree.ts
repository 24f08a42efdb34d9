import { PoolError } from "@continuum/broker-core";
import type { Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { isGone, systemCode } from "./file-error.js";

/**
 * So many directories are read at once, and so many files of each are asked about: enough to keep the threads of the
 * file system busy, and few enough that what else waits for these threads gets its turn soon, also on a slow disk.
 */
const DIRECTORIES_AT_ONCE = 4;
const FILES_AT_ONCE = 64;

/** What a walk found below one entry. */
export interface TreeFigures {
  /** Allocated bytes that would be free without it: hard links that others hold count nothing. */
  bytes: number;
  fileCount: number;
  /** The latest access or change of a file; directories don't count, since looking at them is an access. */
  lastUsedAtMs: number;
  createdAtMs: number;
  /** Changes when a file is added, removed, replaced, linked, grown, written or, as far as it shows, used. */
  checksum: number;
  /** Why it can't be judged or mustn't go; null when nothing is in the way. */
  obstacle: string | null;
  /** One that a process has open; null when none is known to be. */
  openPath: string | null;
}

/** What was found of a file that has several names. */
interface LinkRecord {
  readonly bytes: number;
  readonly linkCount: number;
  seenCount: number;
  /** The only tree that has it; null when several have. */
  tree: TreeFigures | null;
}

/** What a walk may do, and how it is ended. */
export interface WalkOptions {
  /** The filesystem that the walk stays on. */
  readonly device: number;
  readonly signal: AbortSignal;
  /** Files that somebody has open, by inode. */
  readonly openInodes?: ReadonlySet<number>;
}

/** What a layout wants of a walk that knows no layouts. */
export interface TreeVisitor {
  /** The figures that a directory and all below it count for; those of the directory above it, or others. */
  figuresFor(directory: string, above: TreeFigures): TreeFigures;
  /** Sees each path, with its own part of the checksum. */
  see(path: string, stats: Stats, checksum: number): void;
}

/** A file or directory with what it counts for; of a directory all that is below it, too. */
export interface Tree {
  readonly path: string;
  readonly figures: TreeFigures;
  readonly visitor?: TreeVisitor;
}

/** Empty figures. */
export function noFigures(): TreeFigures {
  const noTimes = { lastUsedAtMs: 0, createdAtMs: Infinity };
  return { bytes: 0, fileCount: 0, ...noTimes, checksum: 0, obstacle: null, openPath: null };
}

/** Why what was found must stay; null when nothing is in the way. */
export function obstacleOf({ obstacle, openPath }: TreeFigures): string | null {
  return obstacle ?? (openPath === null ? null : `${openPath} is open in a process`);
}

/**
 * Adds up trees of files: allocated bytes, each file once however many names it has. Never follows a symbolic link
 * and never leaves the filesystem. What it keeps grows with the files that have several names, not with all files.
 */
export class TreeWalk {
  readonly #links = new Map<number, LinkRecord>();
  #totalBytes = 0;
  #fileCount = 0;

  constructor(private readonly options: WalkOptions) {}

  /** Everything seen so far; the bytes of hard links only after `finish`. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  get fileCount(): number {
    return this.#fileCount;
  }

  /** Walks trees into their figures. A file that goes meanwhile is left out; an abort rejects. */
  async add(trees: readonly Tree[]): Promise<void> {
    const pending: Tree[] = [];
    for (let from = 0; from < trees.length; from += FILES_AT_ONCE) {
      await this.#countAll(trees.slice(from, from + FILES_AT_ONCE), pending);
    }
    while (pending.length > 0) {
      // The latest first: so few are pending at any time.
      const next = pending.splice(-DIRECTORIES_AT_ONCE);
      await Promise.all(next.map((directory) => this.#read(directory, pending)));
    }
  }

  /** Settles the files with several names: to be called once, after the last tree. */
  finish(): void {
    for (const { bytes, linkCount, seenCount, tree } of this.#links.values()) {
      this.#totalBytes += bytes;
      if (seenCount === linkCount && tree !== null) tree.bytes += bytes;
    }
    this.#links.clear();
  }

  /** Counts what is in a directory, and puts its directories on `pending`. */
  async #read({ path, ...tree }: Tree, pending: Tree[]): Promise<void> {
    try {
      // Read as it comes: a directory with a million names needn't fit into memory.
      const batch: Tree[] = [];
      for await (const { name } of await opendir(path, { bufferSize: 64 })) {
        if (batch.push({ ...tree, path: join(path, name) }) < FILES_AT_ONCE) continue;
        await this.#countAll(batch.splice(0), pending);
      }
      await this.#countAll(batch, pending);
    } catch (error) {
      if (isGone(error)) return;
      if (systemCode(error) === null) throw error;
      tree.figures.obstacle ??= `${path} can't be read (${systemCode(error) ?? ""})`;
    }
  }

  async #countAll(trees: readonly Tree[], pending: Tree[]): Promise<void> {
    if (this.options.signal.aborted) throw new PoolError("aborted", "the walk was aborted");
    const all = await Promise.all(trees.map(({ path }) => statIfThere(path)));
    for (const [i, tree] of trees.entries()) {
      const stats = all[i] ?? null;
      if (stats === null) continue;
      if (!stats.isDirectory()) {
        this.#count(tree, stats);
        continue;
      }
      const figures = tree.visitor?.figuresFor(tree.path, tree.figures) ?? tree.figures;
      const directory = { ...tree, figures };
      this.#count(directory, stats);
      if (stats.dev === this.options.device) pending.push(directory);
    }
  }

  #count({ path, figures, visitor }: Tree, stats: Stats): void {
    const { device, openInodes } = this.options;
    if (stats.dev !== device) {
      figures.obstacle ??= `another filesystem is mounted at ${path}`;
      return;
    }
    if (openInodes?.has(stats.ino) === true) figures.openPath ??= path;
    const bytes = allocatedBytes(stats);
    const isDirectory = stats.isDirectory();
    // A directory's own times move when one looks away a file; its identity is what matters.
    const checksum = isDirectory ? mix(stats.ino) : fileChecksum(stats);
    this.#fileCount += 1;
    figures.fileCount += 1;
    figures.createdAtMs = Math.min(figures.createdAtMs, createdAt(stats));
    figures.checksum = addChecksums(figures.checksum, checksum);
    if (!isDirectory) figures.lastUsedAtMs = Math.max(figures.lastUsedAtMs, lastUsed(stats));
    visitor?.see(path, stats, checksum);
    if (stats.nlink > 1 && !isDirectory) this.#countLink(stats, bytes, figures);
    else {
      this.#totalBytes += bytes;
      figures.bytes += bytes;
    }
  }

  #countLink({ ino, nlink }: Stats, bytes: number, figures: TreeFigures): void {
    const known = this.#links.get(ino);
    if (known === undefined) {
      this.#links.set(ino, { bytes, linkCount: nlink, seenCount: 1, tree: figures });
      return;
    }
    known.seenCount += 1;
    if (known.tree !== figures) known.tree = null;
  }
}

/** What a file takes up on disk: a sparse file less than its length, a small one a whole block. */
export function allocatedBytes(stats: Stats): number {
  // Windows counts no blocks.
  return Number.isFinite(stats.blocks) && process.platform !== "win32" ? stats.blocks * 512 : stats.size;
}

/** The later of a file's access and change. */
export function lastUsed(stats: Stats): number {
  // Reading a symbolic link is an access of the link itself, and looking at it reads it.
  const usedAtMs = stats.isSymbolicLink() ? stats.mtimeMs : Math.max(stats.atimeMs, stats.mtimeMs);
  return Math.max(0, Math.floor(usedAtMs));
}

/** When a file was made, as far as its filesystem says. */
export function createdAt({ birthtimeMs, mtimeMs }: Stats): number {
  return Math.max(0, Math.floor(birthtimeMs > 0 ? birthtimeMs : mtimeMs));
}

/** The state of a path itself, never of what a link points to; null when it isn't there. */
export async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** The checksum of all that two stand for; the order doesn't matter, as a directory has none. */
export function addChecksums(a: number, b: number): number {
  return (a + b) % Number.MAX_SAFE_INTEGER;
}

function fileChecksum(stats: Stats): number {
  return mix(stats.ino, stats.nlink, stats.size, stats.mtimeMs, lastUsed(stats));
}

function mix(...values: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const value of values) {
    const whole = Math.floor(value);
    hash = Math.imul(hash ^ (whole >>> 0), 0x01000193);
    hash = Math.imul(hash ^ (Math.floor(whole / 2 ** 32) >>> 0), 0x01000193);
  }
  return hash >>> 0;
}
