import { type BigIntStats, constants } from "node:fs";
import { access, chmod, link, lstat, mkdir, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CoreError } from "../core-error.js";
import { toErrorText } from "../error-text.js";

/** The identity of a file: what stands at a path is ours only while this is the same. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
}

/** How a socket's directory is prepared. */
export interface DirectoryRights {
  /** Whether it belongs to the core: then it is tightened to 0700 when it is looser. */
  readonly isOwned: boolean;
  /** The rights of a directory that is made; 0700 when left out. */
  readonly mode?: number;
}

/** Makes the directory of a socket where it is missing; one that a person chose is left as it is. */
export async function prepareSocketDirectory(
  path: string,
  { isOwned, mode: newMode = 0o700 }: DirectoryRights,
): Promise<void> {
  const directory = dirname(path);
  try {
    const made = await makeDirectories(directory, newMode);
    if (made || !isOwned) {
      await access(directory, constants.W_OK);
      return;
    }
    const { mode, uid } = await lstat(directory);
    if (uid !== process.getuid?.()) {
      throw new CoreError("listen", `${directory} belongs to another user (uid ${uid})`);
    }
    if ((mode & 0o077) !== 0) await chmod(directory, 0o700);
  } catch (error) {
    throw error instanceof CoreError
      ? error
      : new CoreError("listen", `can't use ${directory}: ${toErrorText(error)}`, { cause: error });
  }
}

/** Makes a directory and those above it that are missing; false when it was there. Node's own never ends on /proc. */
async function makeDirectories(directory: string, mode: number): Promise<boolean> {
  try {
    await mkdir(directory, { mode });
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") return false;
    // Nothing above it either; where the one above is there, making this one isn't possible at all.
    if (code !== "ENOENT" || !(await makeDirectories(dirname(directory), mode))) throw error;
    return makeDirectories(directory, mode);
  }
}

let bound = 0;

/**
 * A name beside the socket's, for binding before the socket is put in its place: short, because the system limits
 * a socket's path, and unique among running processes.
 */
export function bindingPath(path: string): string {
  bound += 1;
  return join(dirname(path), `.${process.pid.toString(36)}${bound.toString(36)}`);
}

/** What stands at `path`, not followed through a link; null when nothing does. */
export async function statIfThere(path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

/**
 * Gives a bound socket, or another file, its public name if nobody has it: false when something stands there already.
 * A hard link does this atomically; where the file system has none, a check and a rename do it nearly so.
 */
export async function publishFile(boundPath: string, path: string): Promise<boolean> {
  try {
    await link(boundPath, path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    if ((await statIfThere(path)) !== null) return false;
    await rename(boundPath, path);
    return true;
  }
  await unlink(boundPath);
  return true;
}

/** Removes `path` if it is still the file that was put there. */
export async function unlinkIfOurs(path: string, ours: FileIdentity): Promise<void> {
  const there = await statIfThere(path);
  if (there !== null && isSameFile(there, ours)) await unlinkIfThere(path);
}

/** Removes `path`; nothing there is as good. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

/** The system's name of an error ("ENOENT"), or null. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** An inode's number is soon used again: its time of change tells the next file apart. */
function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeNs === b.mtimeNs;
}
