import { opendir, readlink } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { CacheEntry } from "./cache-entry.js";
import { type CacheScan, type ScanOptions, TRASH_PREFIX } from "./cache-scan.js";
import { isGone, systemCode } from "./file-error.js";
import { KEEP_FILE } from "./keep-patterns.js";
import { noFigures, statIfThere, type TreeFigures, TreeWalk } from "./walk-tree.js";

/** What marks a cache, and what belongs to a filesystem whose root the cache is. */
const NOT_ENTRIES = new Set([KEEP_FILE, "CACHEDIR.TAG", "lost+found"]);

/** Scans a cache whose first-level children are its entries, each a file or a directory. */
export async function scanPlain(root: string, { only, ...options }: ScanOptions): Promise<CacheScan> {
  const walk = new TreeWalk(options);
  const found: {
    readonly name: string;
    readonly kind: CacheEntry["kind"];
    readonly figures: TreeFigures;
    keep: string | null;
  }[] = [];
  const linkTo = new Map<string, string>();
  const rootKept = (await statIfThere(join(root, KEEP_FILE))) !== null;
  for await (const child of await opendir(root)) {
    const { name } = child;
    if (child.isSymbolicLink()) {
      const target = await entryBehind(root, name);
      if (target !== null) linkTo.set(target, name);
    }
    if (only !== undefined && name !== only) continue;
    const figures = noFigures();
    await walk.add(join(root, name), figures);
    if (name.startsWith(TRASH_PREFIX) || NOT_ENTRIES.has(name)) continue;
    // Gone meanwhile.
    if (figures.fileCount === 0) continue;
    let keep = rootKept ? `the cache has a ${KEEP_FILE}` : null;
    if (child.isDirectory() && (await statIfThere(join(root, name, KEEP_FILE))) !== null) {
      keep ??= `it has a ${KEEP_FILE}`;
    }
    if (!child.isDirectory() && !child.isFile()) keep ??= "it is neither a file nor a directory";
    found.push({ name, kind: child.isDirectory() ? "directory" : "file", figures, keep });
  }
  walk.finish();
  const keptByLink = (name: string): string | null => {
    const link = linkTo.get(name);
    return link === undefined ? null : `the link ${link} beside it leads to it`;
  };
  const entries = found.map(({ name, kind, figures, keep }): CacheEntry => ({
    key: name,
    kind,
    paths: [name],
    parts: [],
    missingParts: [],
    bytes: figures.bytes,
    fileCount: figures.fileCount,
    createdAtMs: figures.createdAtMs,
    // A directory without a file has never been used.
    lastUsedAtMs: figures.lastUsedAtMs === 0 ? figures.createdAtMs : figures.lastUsedAtMs,
    keepReason: keep ?? figures.obstacle ?? keptByLink(name),
    restore: null,
    fingerprint: `${figures.fileCount}/${figures.bytes}/${figures.checksum}`,
  }));
  return { entries, totalBytes: walk.totalBytes, fileCount: walk.fileCount };
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
