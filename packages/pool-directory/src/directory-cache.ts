import { PoolError } from "@continuum/broker-core";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CacheEntry } from "./cache-entry.js";
import { CacheRootError, detectLayout, refuseHubHome } from "./cache-root.js";
import type { CacheLayout, CacheScan, ScanOptions } from "./cache-scan.js";
import { systemCode, toPoolError } from "./file-error.js";
import type { FilesInUse, FindFilesInUse } from "./files-in-use.js";
import { type Mount, mountOf, mountsWithin, parseMountInfo } from "./mount-table.js";
import { SafeDirectory } from "./safe-directory.js";
import { scanHub } from "./scan-hub.js";
import { scanPlain } from "./scan-plain.js";
import type { Trash } from "./trash.js";
import { noFigures, statIfThere, TreeWalk } from "./walk-tree.js";

/** A walk of a cache, with what it needs to be trusted. */
export interface WalkedCache extends CacheScan {
  readonly layout: CacheLayout;
  readonly device: number;
  readonly inode: number;
  /** Whether reading a file shows in its access time; `unknown` where the system doesn't say. */
  readonly accessTimes: Mount["accessTimes"] | "unknown";
}

/** The files below one root: walking them, and looking at one entry again. */
export class DirectoryCache {
  #inUse: FilesInUse = { inodes: new Set(), complete: true };

  constructor(
    readonly root: string,
    private readonly layout: CacheLayout | null,
    private readonly findFilesInUse: FindFilesInUse,
  ) {}

  /** Walks everything; rejects with a PoolError. */
  async walk(signal: AbortSignal): Promise<WalkedCache> {
    try {
      const stats = await statIfThere(this.root);
      if (stats?.isDirectory() !== true) throw new PoolError("notFound", `${this.root} isn't there`);
      refuseHubHome(this.root);
      const layout = this.layout ?? detectLayout(this.root);
      const mounts = await readMounts();
      const scan = await this.#scan(layout, { device: stats.dev, signal });
      const entries = scan.entries.map((entry) => this.#withMounts(entry, mounts));
      const accessTimes = mountOf(mounts, this.root)?.accessTimes ?? "unknown";
      return { ...scan, entries, layout, device: stats.dev, inode: stats.ino, accessTimes };
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

  /** What goes with an entry now: its paths and the parts that nothing else uses; or why it must stay. */
  async recheck(
    entry: CacheEntry,
    { layout, device }: WalkedCache,
    signal: AbortSignal,
  ): Promise<readonly string[] | { readonly stays: string }> {
    if (!this.#inUse.complete) return { stays: "it couldn't be found out in time what is in use" };
    const only = entry.key.split("/")[0] ?? "";
    const scan = await this.#scan(layout, { device, signal, only, openInodes: this.#inUse.inodes });
    const found = scan.entries.find(({ key }) => key === entry.key);
    if (found === undefined) return { stays: "it has gone" };
    const now = this.#withMounts(found, await readMounts());
    if (now.keepReason !== null) return { stays: now.keepReason };
    if (now.fingerprint !== entry.fingerprint) return { stays: "it has changed or was used since" };
    const others = scan.entries.filter(({ key }) => key !== entry.key);
    const shared = new Set(others.flatMap(({ parts }) => parts.map(({ path }) => path)));
    return [...now.paths, ...now.parts.map(({ path }) => path).filter((path) => !shared.has(path))];
  }

  /** Why what is in a trash must come back: somebody has it open, or a revision that came meanwhile names it. */
  async missedBy(trash: Trash, { layout, device }: WalkedCache, signal: AbortSignal): Promise<string | null> {
    if (!this.#inUse.complete) return "it couldn't be found out in time what is in use";
    const figures = noFigures();
    const walk = new TreeWalk({ device, signal, openInodes: this.#inUse.inodes });
    await walk.add(join(this.root, trash.name, "items"), figures);
    if (figures.obstacle !== null) return "somebody has begun to use it";
    if (layout !== "huggingface") return null;
    const only = trash.record.key.split("/")[0] ?? "";
    const { entries } = await this.#scan(layout, { device, signal, only, openInodes: this.#inUse.inodes });
    const missing = new Set(entries.flatMap(({ missingParts }) => missingParts));
    if (trash.record.paths.some((path) => missing.has(path))) return "another revision has come to use it";
    const isDownloading = entries.some(({ keepReason }) => keepReason?.includes("lock") === true);
    return isDownloading ? "its repository is being downloaded" : null;
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
    const points = [entry.key, ...entry.paths].flatMap((path) => mountsWithin(mounts, join(this.root, path)));
    const keepReason =
      entry.keepReason ?? (points[0] === undefined ? null : `something is mounted at ${points[0]}`);
    return { ...entry, keepReason };
  }
}

async function readMounts(): Promise<readonly Mount[]> {
  try {
    return parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return [];
  }
}
