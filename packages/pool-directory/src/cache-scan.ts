import type { CacheEntry } from "./cache-entry.js";

/** How the children of a cache directory are to be understood. */
export type CacheLayout = "huggingface" | "directory";

/** What one walk of a whole cache found. */
export interface CacheScan {
  readonly entries: readonly CacheEntry[];
  /** Allocated bytes of everything below the root, each file once. */
  readonly totalBytes: number;
  readonly fileCount: number;
  /** Children of the root that somebody is just filling. */
  readonly locked: ReadonlySet<string>;
}

/** What a scan is told. */
export interface ScanOptions {
  readonly device: number;
  readonly signal: AbortSignal;
  /** Files that somebody has open, by inode; an entry with one of them stays. */
  readonly openInodes?: ReadonlySet<number>;
  /** Look at these children of the root alone. */
  readonly only?: ReadonlySet<string>;
}

/** Names of directories that hold what is about to be deleted. */
export const TRASH_PREFIX = ".continuum-evicting-";
