import { PoolError } from "@continuum/broker-core";
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute } from "node:path";
import type { CacheLayout } from "./cache-scan.js";
import { systemCode } from "./file-error.js";
import { REPOSITORY_NAME } from "./scan-hub.js";

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
  return root;
}

/** The layout that a root's children show: the hub's where there are repositories or its `version.txt`. */
export function detectLayout(root: string): CacheLayout {
  try {
    const isHub = readdirSync(root).some((name) => REPOSITORY_NAME.test(name) || name === "version.txt");
    return isHub ? "huggingface" : "directory";
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
