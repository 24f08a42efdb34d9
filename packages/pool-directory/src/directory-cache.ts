import { PoolError } from "@continuum/broker-core";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CacheEntry } from "./cache-entry.js";
import { EntryCheck } from "./check-entries.js";
import { CacheRootError, detectLayout, refuseHubHome } from "./cache-root.js";
import type { CacheLayout, CacheScan, ScanOptions } from "./cache-scan.js";
import { systemCode, toPoolError } from "./file-error.js";
import type { FilesInUse, FindFilesInUse } from "./files-in-use.js";
import { type Mount, mountOf, mountsWithin, parseMountInfo } from "./mount-table.js";
import { SafeDirectory } from "./safe-directory.js";
import { scanHub } from "./scan-hub.js";
import { scanPlain } from "./scan-plain.js";
import type { TakenOut } from "./settle-trash.js";
import { noFigures, obstacleOf, statIfThere, TreeWalk } from "./walk-tree.js";

/** A walk of a cache, with what it needs to be trusted. */
export interface WalkedCache extends CacheScan {
  readonly layout: CacheLayout;
  readonly device: number;
  readonly inode: number;
  /** Whether reading a file shows in its access time; `unknown` where the system doesn't say. */
  readonly accessTimes: Mount["accessTimes"] | "unknown";
}

const USE_UNKNOWN = "it couldn't be found out in time what is in use";

/** The files below one root: walking them, and looking at one entry again. */
export class DirectoryCache {
  #inUse: FilesInUse = { inodes: new Set(), complete: true };

  constructor(
    readonly root: string,
    private readonly layout: CacheLayout | null,
    private readonly findFilesInUse: FindFilesInUse,
  ) {}

  /** Which directory the root is now; null when there is none. Rejects with a PoolError. */
  async identify(): Promise<Pick<WalkedCache, "device" | "inode"> | null> {
    try {
      const stats = await statIfThere(this.root);
      return stats?.isDirectory() === true ? { device: stats.dev, inode: stats.ino } : null;
    } catch (error) {
      throw toPoolError(error, `looking for ${this.root}`);
    }
  }

  /** Walks everything; rejects with a PoolError. */
  async walk(signal: AbortSignal): Promise<WalkedCache> {
    try {
      const root = await this.identify();
      if (root === null) throw new PoolError("notFound", `${this.root} isn't there`);
      refuseHubHome(this.root);
      const layout = this.layout ?? detectLayout(this.root);
      const mounts = await readMounts();
      const scan = await this.#scan(layout, { device: root.device, signal });
      const below = mountsWithin(mounts, this.root);
      const entries = scan.entries.map((entry) => this.#withMounts(entry, below));
      const accessTimes = mountOf(mounts, this.root)?.accessTimes ?? "unknown";
      return { ...scan, entries, layout, ...root, accessTimes };
    } catch (error) {
      if (error instanceof CacheRootError) throw new PoolError("denied", error.message, { cause: error });
      throw toPoolError(error, `walking ${this.root}`);
    }
  }

  /** Opens the root for an eviction; rejects when it is no longer the directory that was walked. */
  async open({ device, inode }: WalkedCache): Promise<SafeDirectory> {
    const directory = await SafeDirectory.open(this.root);
    const { dev, ino } = await directory.identity();
    if (dev === device && ino === inode) return directory;
    await directory.close();
    throw new PoolError("conflict", `${this.root} is another directory than a moment ago`);
  }

  /** Takes a new look at what is in use, for the checks that follow. */
  async refreshUse(device: number, signal: AbortSignal): Promise<void> {
    this.#inUse = await this.findFilesInUse(device, signal);
  }

  /** Looks at entries again, with all that may share parts with them. */
  async recheck(
    entries: readonly CacheEntry[],
    { layout, device }: WalkedCache,
    signal: AbortSignal,
  ): Promise<EntryCheck> {
    const { inodes: openInodes, complete } = this.#inUse;
    if (!complete) throw new PoolError("failed", USE_UNKNOWN);
    const only = new Set(entries.map(({ key }) => childOf(key)));
    const scan = await this.#scan(layout, { device, signal, only, openInodes });
    const mounts = mountsWithin(await readMounts(), this.root);
    return new EntryCheck(scan.entries.map((entry) => this.#withMounts(entry, mounts)));
  }

  /** What must come back of what is in the trash: a revision that came meanwhile names it, or a download is under way. */
  async missedBy(
    taken: readonly TakenOut[],
    { layout, device }: WalkedCache,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<TakenOut, string>> {
    const { inodes: openInodes, complete } = this.#inUse;
    if (!complete) throw new PoolError("failed", USE_UNKNOWN);
    const missed = new Map<TakenOut, string>();
    if (layout !== "huggingface") return missed;
    const only = new Set(taken.map(({ trash }) => childOf(trash.record.key)));
    const { entries, locked } = await this.#scan(layout, { device, signal, only, openInodes });
    const missing = new Set(entries.flatMap(({ missingParts }) => missingParts));
    for (const each of taken) {
      const { key, paths } = each.trash.record;
      if (paths.some((path) => missing.has(path))) missed.set(each, "another revision has come to use it");
      else if (locked.has(childOf(key))) missed.set(each, "its repository is being downloaded");
    }
    return missed;
  }

  /** Why what is in a trash must come back: somebody has it open, or used or changed it before it was there. */
  async usedBy(
    { trash, checksum }: TakenOut,
    { device }: WalkedCache,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { key, paths } = trash.record;
    const walk = new TreeWalk({ device, signal, openInodes: this.#inUse.inodes });
    const [names, content] = [noFigures(), noFigures()];
    const first = paths.indexOf(key);
    await walk.add(
      paths.map((_, i) => ({
        path: join(this.root, trash.itemPath(i)),
        figures: i < first ? names : content,
      })),
    );
    if (obstacleOf(names) !== null || obstacleOf(content) !== null) return "somebody has begun to use it";
    return content.checksum === checksum ? null : "it has changed or was used since";
  }

  /** Removes what an eviction left empty of a repository. */
  async tidy(root: SafeDirectory, repositories: ReadonlySet<string>): Promise<void> {
    for (const repository of repositories) {
      try {
        await using directory = await root.descend(repository);
        for (const name of ["blobs", "refs", ".no_exist", "trees"]) await directory.prune(name);
        // huggingface_hub takes a repository without it for a damaged one: it goes last.
        if ((await directory.names()).join() === "snapshots") await directory.prune("snapshots");
      } catch (error) {
        if (systemCode(error) === null) throw error;
      }
      await root.removeIfEmpty(repository);
    }
  }

  #scan(layout: CacheLayout, options: ScanOptions): Promise<CacheScan> {
    return layout === "huggingface" ? scanHub(this.root, options) : scanPlain(this.root, options);
  }

  /** Also a mount of the same filesystem (a bind mount) is somebody else's. */
  #withMounts(entry: CacheEntry, mounts: readonly Mount[]): CacheEntry {
    if (mounts.length === 0) return entry;
    const points = [entry.key, ...entry.paths].flatMap((path) => mountsWithin(mounts, join(this.root, path)));
    const keepReason =
      entry.keepReason ?? (points[0] === undefined ? null : `something is mounted at ${points[0].path}`);
    return { ...entry, keepReason };
  }
}

/** The child of the root that an entry belongs to. */
function childOf(key: string): string {
  return key.split("/")[0] ?? "";
}

async function readMounts(): Promise<readonly Mount[]> {
  try {
    return parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return [];
  }
}
