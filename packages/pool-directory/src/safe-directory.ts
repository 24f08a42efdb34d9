import { constants } from "node:fs";
import {
  access,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rmdir,
  unlink,
} from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./file-error.js";

const OPEN_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A directory that is held open, so that what is done in it is done in this very directory: one that is renamed, or
 * replaced by a symbolic link meanwhile, leads nowhere else. That needs `/proc/self/fd` (Linux); elsewhere paths are
 * used, and each step still refuses a symbolic link where it expects a directory.
 */
export class SafeDirectory implements AsyncDisposable {
  private constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    /** Whether the path is that of the handle. */
    private readonly isHeld: boolean,
  ) {}

  /** Opens a directory by its path; rejects where its last part is a symbolic link or no directory. */
  static async open(path: string): Promise<SafeDirectory> {
    return await SafeDirectory.#open(path, null);
  }

  /** Handles have paths in the whole process or not at all: only the first directory asks. */
  static async #open(path: string, hasHandlePaths: boolean | null): Promise<SafeDirectory> {
    const handle = await open(path, OPEN_FLAGS);
    try {
      const byHandle = `/proc/self/fd/${handle.fd}`;
      const isHeld = hasHandlePaths ?? (process.platform === "linux" && (await exists(byHandle)));
      return new SafeDirectory(handle, isHeld ? byHandle : path, isHeld);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Opens a directory below by its relative path, part by part, following no link. */
  async descend(relativePath: string): Promise<SafeDirectory> {
    let at = await SafeDirectory.#open(this.#itself, this.isHeld);
    for (const name of splitRelative(relativePath)) {
      try {
        const below = await SafeDirectory.#open(at.at(name), this.isHeld);
        await at.close();
        at = below;
      } catch (error) {
        await at.close();
        throw error;
      }
    }
    return at;
  }

  /** The identity of the directory itself. */
  async identity(): Promise<{ readonly dev: number; readonly ino: number }> {
    const { dev, ino } = await this.handle.stat();
    return { dev, ino };
  }

  /** A path of a child that stays this directory's child. */
  at(name: string): string {
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
      throw new Error(`${JSON.stringify(name)} is no name of a file`);
    }
    return join(this.path, name);
  }

  /** Ends in a dot that no joining of paths may drop: the handle's own path is a link, and none is followed. */
  get #itself(): string {
    return `${this.path}/.`;
  }

  /** The names in the directory. */
  names(): Promise<string[]> {
    return readdir(this.#itself);
  }

  /** Makes a directory for its owner alone; false when something of the name is there. */
  async make(name: string): Promise<boolean> {
    try {
      await mkdir(this.at(name), { mode: 0o700 });
      return true;
    } catch (error) {
      if (systemCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  /** Moves a child to another directory of the filesystem, replacing nothing; false when the name is taken there. */
  async move(name: string, target: SafeDirectory, targetName: string): Promise<boolean> {
    const [from, to] = [this.at(name), target.at(targetName)];
    if ((await lstat(from)).isDirectory()) {
      // A rename replaces nothing but an empty directory.
      return await unlessTaken(() => rename(from, to));
    }
    try {
      // A second name first: unlike a rename, it fails where the name is taken.
      if (!(await unlessTaken(() => link(from, to)))) return false;
    } catch (error) {
      // Filesystems without hard links.
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK"].includes(systemCode(error) ?? "")) throw error;
      if (await exists(to)) return false;
      await rename(from, to);
      return true;
    }
    await unlink(from);
    return true;
  }

  /** Deletes a child with all that is below it, following no link; nothing happens when it isn't there. */
  async remove(name: string): Promise<void> {
    try {
      const path = this.at(name);
      if (!(await lstat(path)).isDirectory()) {
        await unlink(path);
        return;
      }
      await using below = await SafeDirectory.#open(path, this.isHeld);
      for (const child of await below.names()) await below.remove(child);
      await rmdir(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  /** Deletes a child if it is an empty directory. */
  async removeIfEmpty(name: string): Promise<void> {
    try {
      await rmdir(this.at(name));
    } catch (error) {
      if (systemCode(error) === null) throw error;
    }
  }

  /** Deletes a child if nothing but empty directories is below it, and those of them that are empty if not. */
  async prune(name: string): Promise<void> {
    try {
      const path = this.at(name);
      if (!(await lstat(path)).isDirectory()) return;
      {
        await using below = await SafeDirectory.#open(path, this.isHeld);
        for (const child of await below.names()) await below.prune(child);
      }
      await rmdir(path);
    } catch (error) {
      if (systemCode(error) === null) throw error;
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The parts of a relative path that stays below where it starts; throws for any other. */
export function splitRelative(path: string): readonly string[] {
  if (path === "") return [];
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
    throw new Error(`${JSON.stringify(path)} is no path below a directory`);
  }
  return parts;
}

async function unlessTaken(run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
