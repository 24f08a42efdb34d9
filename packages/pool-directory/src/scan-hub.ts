import { opendir } from "node:fs/promises";
import { join } from "node:path";
import type { CacheEntry } from "./cache-entry.js";
import { type CacheScan, type ScanOptions, TRASH_PREFIX } from "./cache-scan.js";
import { KEEP_FILE } from "./keep-patterns.js";
import { mapInBatches } from "./map-in-batches.js";
import { REPOSITORY_NAME, RepositoryScan } from "./scan-repository.js";
import { noFigures, statIfThere, type Tree, TreeWalk } from "./walk-tree.js";

/** So many are walked together: one after the other, small ones would be waited for most of the time. */
const REPOSITORIES_AT_ONCE = 64;
/** So many have their links read together. */
const NAMES_AT_ONCE = 4;

/**
 * Scans a cache of the Hugging Face hub: each revision of a repository is an entry, with the blobs that no other one
 * uses; so are blobs that no revision uses, and downloads that were broken off. Links are read and never followed.
 */
export async function scanHub(root: string, { only, ...options }: ScanOptions): Promise<CacheScan> {
  const walk = new TreeWalk(options);
  const rootKept = (await statIfThere(join(root, KEEP_FILE))) !== null;
  const scans: RepositoryScan[] = [];
  const others: Tree[] = [];
  for (const { name, isDirectory } of await childrenOf(root, only)) {
    const isRepository = isDirectory && REPOSITORY_NAME.test(name) && !name.startsWith(TRASH_PREFIX);
    if (isRepository) scans.push(new RepositoryScan(root, name, options.openInodes));
    else others.push({ path: join(root, name), figures: noFigures() });
  }
  await walk.add(others);
  for (let from = 0; from < scans.length; from += REPOSITORIES_AT_ONCE) {
    const next = scans.slice(from, from + REPOSITORIES_AT_ONCE);
    await walk.add(next.map(({ tree }) => tree));
    await mapInBatches(next, (scan) => scan.readNames(), NAMES_AT_ONCE);
  }
  walk.finish();
  const entries = scans.flatMap((scan): readonly CacheEntry[] =>
    scan.entries(rootKept ? `the cache has a ${KEEP_FILE}` : null),
  );
  const locked = new Set(scans.filter(({ isLocked }) => isLocked).map(({ name }) => name));
  return { entries, totalBytes: walk.totalBytes, fileCount: walk.fileCount, locked };
}

async function childrenOf(
  root: string,
  only: ReadonlySet<string> | undefined,
): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]> {
  if (only !== undefined) {
    return await mapInBatches([...only], async (name) => {
      const stats = await statIfThere(join(root, name));
      return { name, isDirectory: stats?.isDirectory() === true };
    });
  }
  const children: { readonly name: string; readonly isDirectory: boolean }[] = [];
  for await (const child of await opendir(root)) {
    children.push({ name: child.name, isDirectory: child.isDirectory() });
  }
  return children;
}
