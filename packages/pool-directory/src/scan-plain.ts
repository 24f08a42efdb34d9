import type { Dirent } from "node:fs";
import { opendir, readlink } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { CacheEntry } from "./cache-entry.js";
import { type CacheScan, type ScanOptions, TRASH_PREFIX } from "./cache-scan.js";
import { isGone, systemCode } from "./file-error.js";
import { KEEP_FILE } from "./keep-patterns.js";
import {
  noFigures,
  obstacleOf,
  statIfThere,
  type Tree,
  type TreeFigures,
  type TreeVisitor,
  TreeWalk,
} from "./walk-tree.js";

/** What marks a cache, and what belongs to a filesystem whose root the cache is. */
const NOT_ENTRIES = new Set([KEEP_FILE, "CACHEDIR.TAG", "lost+found"]);

/** So many children are walked together: one after the other, small ones would be waited for most of the time. */
const CHILDREN_AT_ONCE = 256;

/** A child of the root, as the walk sees it. */
interface Child {
  readonly dirent: Dirent;
  readonly figures: TreeFigures;
  isPinned: boolean;
}

/** Scans a cache whose first-level children are its entries, each a file or a directory. */
export async function scanPlain(root: string, { only, ...options }: ScanOptions): Promise<CacheScan> {
  const walk = new TreeWalk(options);
  const children: Child[] = [];
  const linkTo = new Map<string, string>();
  const rootKept = (await statIfThere(join(root, KEEP_FILE))) !== null;
  let batch: Child[] = [];
  const walkBatch = async (): Promise<void> => {
    await walk.add(batch.map((child) => toTree(root, child)));
    children.push(...batch);
    batch = [];
  };
  for await (const dirent of await opendir(root, { bufferSize: CHILDREN_AT_ONCE })) {
    if (dirent.isSymbolicLink()) {
      const target = await entryBehind(root, dirent.name);
      if (target !== null) linkTo.set(target, dirent.name);
    }
    if (only?.has(dirent.name) === false) continue;
    batch.push({ dirent, figures: noFigures(), isPinned: false });
    if (batch.length === CHILDREN_AT_ONCE) await walkBatch();
  }
  await walkBatch();
  walk.finish();
  const entries = children
    // What went meanwhile has no file.
    .filter(({ dirent: { name }, figures }) => !isNoEntry(name) && figures.fileCount > 0)
    .map((child): CacheEntry => {
      const link = linkTo.get(child.dirent.name);
      const keptByLink = link === undefined ? null : `the link ${link} beside it leads to it`;
      return toEntry(child, rootKept ? `the cache has a ${KEEP_FILE}` : keptByLink);
    });
  return { entries, totalBytes: walk.totalBytes, fileCount: walk.fileCount, locked: new Set() };
}

function toTree(root: string, child: Child): Tree {
  const path = join(root, child.dirent.name);
  const keepPath = join(path, KEEP_FILE);
  const visitor: TreeVisitor = {
    figuresFor: (_directory, above) => above,
    see: (seenPath) => {
      if (seenPath === keepPath) child.isPinned = true;
    },
  };
  return { path, figures: child.figures, visitor };
}

function isNoEntry(name: string): boolean {
  return name.startsWith(TRASH_PREFIX) || NOT_ENTRIES.has(name);
}

function toEntry({ dirent, figures, isPinned }: Child, keepReason: string | null): CacheEntry {
  const isDirectory = dirent.isDirectory();
  const isOther = !isDirectory && !dirent.isFile();
  const ownReason = isPinned
    ? `it has a ${KEEP_FILE}`
    : isOther
      ? "it is neither a file nor a directory"
      : null;
  return {
    key: dirent.name,
    kind: isDirectory ? "directory" : "file",
    paths: [dirent.name],
    parts: [],
    missingParts: [],
    bytes: figures.bytes,
    fileCount: figures.fileCount,
    createdAtMs: figures.createdAtMs,
    // A directory without a file has never been used.
    lastUsedAtMs: figures.lastUsedAtMs === 0 ? figures.createdAtMs : figures.lastUsedAtMs,
    keepReason: ownReason ?? obstacleOf(figures) ?? keepReason,
    restore: null,
    checksum: figures.checksum,
  };
}

/** The entry that a link of the root leads to or into (`current -> 1.2`); null where it leads elsewhere. */
async function entryBehind(root: string, link: string): Promise<string | null> {
  try {
    const [entry = ""] = relative(root, resolve(root, await readlink(join(root, link)))).split(sep);
    return entry === "" || entry === ".." ? null : entry;
  } catch (error) {
    // Gone meanwhile, or something else now.
    if (isGone(error) || systemCode(error) === "EINVAL") return null;
    throw error;
  }
}
