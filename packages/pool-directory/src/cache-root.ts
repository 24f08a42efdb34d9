import { PoolError } from "@continuum/broker-core";
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { CacheLayout } from "./cache-scan.js";
import { systemCode } from "./file-error.js";
import { REPOSITORY_NAME } from "./scan-repository.js";

/** `version.txt`, and diffusers' `version_diffusers_cache.txt`. */
const VERSION_NAME = /^version(?:_\w+)?\.txt$/u;
/** Where huggingface_hub keeps what it logs in with. */
const TOKEN_NAMES = new Set(["token", "stored_tokens"]);

/** A directory that can't be a cache's root; the message says why, in one line. */
export class CacheRootError extends Error {
  override readonly name = "CacheRootError";
}

/**
 * The real path of a cache's root. Throws a CacheRootError unless it is an absolute path of a directory that is there,
 * and neither the file system's root nor a home directory, nor above one.
 */
export function resolveCacheRoot(path: string, home: string = homedir()): string {
  if (!isAbsolute(path)) throw new CacheRootError(`${path} isn't an absolute path`);
  let root: string;
  try {
    root = realpathSync(path);
    if (!lstatSync(root).isDirectory()) throw new CacheRootError(`${path} isn't a directory`);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    const why = code === "ENOENT" ? "isn't there" : `can't be used (${code})`;
    throw new CacheRootError(`${path} ${why}`, { cause: error });
  }
  if (root === "/" || /^[A-Za-z]:[\\/]?$/u.test(root)) {
    throw new CacheRootError(`${path} is the root of a filesystem, not a cache`);
  }
  if (`${realOrSame(home)}/`.startsWith(`${root}/`)) {
    throw new CacheRootError(`${path} is a home directory or above one, not a cache`);
  }
  refuseHubHome(root);
  return root;
}

/**
 * Throws a CacheRootError for a directory such as ~/.cache/huggingface, where the hub's cache stands beside tokens and
 * other caches: each of them would be an entry like any other. Asked before each walk, too, since a hub may come later.
 */
export function refuseHubHome(root: string): void {
  const names = namesIn(root);
  if (isHub(names)) return;
  const hub = join(root, "hub");
  // Also by a link: the tokens beside it are here.
  if (names.includes("hub") && isHub(namesIn(hub))) {
    throw new CacheRootError(`${root} holds a hub's cache beside other things: give ${hub}`);
  }
  const token = names.find((name) => TOKEN_NAMES.has(name));
  if (token !== undefined) {
    throw new CacheRootError(
      `${root} holds access tokens (${token}): give the cache below it, such as ${hub}`,
    );
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (systemCode(error) === null) throw error;
    // Nothing can be said of what isn't there or can't be read; the walk reports it.
    return [];
  }
}

/** Also one without a repository left: its locks are no entries, a download may be about to take one. */
function isHub(names: readonly string[]): boolean {
  if (names.some((name) => REPOSITORY_NAME.test(name) || VERSION_NAME.test(name))) return true;
  return names.includes(".locks") && names.every((name) => name.startsWith(".") || name === "CACHEDIR.TAG");
}

/** The layout that a root's children show: the hub's where there are repositories, its `version.txt` or only its locks. */
export function detectLayout(root: string): CacheLayout {
  try {
    return isHub(readdirSync(root)) ? "huggingface" : "directory";
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    throw new PoolError("denied", `${root} can't be read: ${code}`, { cause: error });
  }
}

function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return path;
  }
}
