import { PoolError } from "@continuum/broker-core";
import type { Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { isGone, systemCode } from "./file-error.js";

/** So many files are asked about at once. */
const BATCH = 64;

/** What a walk found below one entry. */
export interface TreeFigures {
  /** Allocated bytes that would be free without it: hard links that others hold count nothing. */
  bytes: number;
  fileCount: number;
  /** The latest access or change of a file; directories don't count, since looking at them is an access. */
  lastUsedAtMs: number;
  createdAtMs: number;
  /** Changes when a file is added, removed, replaced, grown or written. */
  checksum: number;
  /** Why it can't be judged or mustn't go; null when nothing is in the way. */
  obstacle: string | null;
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
  /** Sees each file that isn't a directory; for layouts that know more of it. */
  readonly onFile?: (path: string, stats: Stats) => void;
  /** Files that somebody has open, by inode. */
  readonly openInodes?: ReadonlySet<number>;
}

/** Empty figures. */
export function noFigures(): TreeFigures {
  return { bytes: 0, fileCount: 0, lastUsedAtMs: 0, createdAtMs: Infinity, checksum: 0, obstacle: null };
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

  /** Walks a file or directory into `figures`. A file that goes meanwhile is left out; an abort rejects. */
  async add(path: string, figures: TreeFigures): Promise<void> {
    const pending = [path];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#checkAborted();
      const stats = await statIfThere(next);
      if (stats !== null) await this.#visit(next, stats, figures, pending);
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

  /** Counts one path; a directory's children are walked, its directories put on `pending`. */
  async #visit(path: string, stats: Stats, figures: TreeFigures, pending: string[]): Promise<void> {
    this.#count(path, stats, figures);
    if (!stats.isDirectory() || stats.dev !== this.options.device) return;
    try {
      // Read as it comes: a directory with a million names needn't fit into memory.
      const batch: string[] = [];
      for await (const child of await opendir(path, { bufferSize: BATCH })) {
        const childPath = join(path, child.name);
        if (child.isDirectory()) pending.push(childPath);
        else if (batch.push(childPath) === BATCH) await this.#countAll(batch.splice(0), figures);
      }
      await this.#countAll(batch, figures);
    } catch (error) {
      if (isGone(error)) return;
      if (systemCode(error) === null) throw error;
      figures.obstacle ??= `${path} can't be read (${systemCode(error) ?? ""})`;
    }
  }

  async #countAll(paths: readonly string[], figures: TreeFigures): Promise<void> {
    this.#checkAborted();
    const all = await Promise.all(paths.map(statIfThere));
    all.forEach((stats, i) => {
      const path = paths[i];
      if (stats !== null && path !== undefined) this.#count(path, stats, figures);
    });
  }

  #count(path: string, stats: Stats, figures: TreeFigures): void {
    const { device, openInodes, onFile } = this.options;
    if (stats.dev !== device) {
      figures.obstacle ??= `another filesystem is mounted at ${path}`;
      return;
    }
    if (openInodes?.has(stats.ino) === true) figures.obstacle ??= `${path} is open in a process`;
    const bytes = allocatedBytes(stats);
    this.#fileCount += 1;
    figures.fileCount += 1;
    figures.createdAtMs = Math.min(figures.createdAtMs, createdAt(stats));
    if (stats.isDirectory()) {
      // Its own change times move when one looks away a file; its identity is what matters.
      figures.checksum = mix(figures.checksum, stats.ino);
    } else {
      figures.lastUsedAtMs = Math.max(figures.lastUsedAtMs, lastUsed(stats));
      figures.checksum = mix(figures.checksum, stats.ino, stats.size, stats.mtimeMs, lastUsed(stats));
      onFile?.(path, stats);
    }
    if (stats.nlink > 1 && !stats.isDirectory()) this.#countLink(stats, bytes, figures);
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

  #checkAborted(): void {
    if (this.options.signal.aborted) throw new PoolError("aborted", "the walk was aborted");
  }
}

/** What a file takes up on disk: a sparse file less than its length, a small one a whole block. */
export function allocatedBytes(stats: Stats): number {
  // Windows counts no blocks.
  return Number.isFinite(stats.blocks) && process.platform !== "win32" ? stats.blocks * 512 : stats.size;
}

/** The later of a file's access and change. */
export function lastUsed({ atimeMs, mtimeMs, ...stats }: Stats): number {
  // Reading a symbolic link is an access of the link itself, and looking at it reads it.
  const isLink = (stats.mode & 0o170000) === 0o120000;
  return Math.max(0, Math.floor(isLink ? mtimeMs : Math.max(atimeMs, mtimeMs)));
}

function createdAt({ birthtimeMs, mtimeMs }: Stats): number {
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

/** Adds numbers to a sum that doesn't depend on the order of the files, as a directory has none. */
function mix(sum: number, ...values: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const value of values) {
    const whole = Math.floor(value);
    hash = Math.imul(hash ^ (whole >>> 0), 0x01000193);
    hash = Math.imul(hash ^ (Math.floor(whole / 2 ** 32) >>> 0), 0x01000193);
  }
  return (sum + (hash >>> 0)) % Number.MAX_SAFE_INTEGER;
}
