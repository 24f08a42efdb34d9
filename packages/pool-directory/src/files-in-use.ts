import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { systemCode } from "./file-error.js";

const MAX_PROCESSES = 50_000;
const MAX_FILES = 500_000;

/** What processes have open, by inode; `complete` is false where a bound ended the search. */
export interface FilesInUse {
  readonly inodes: ReadonlySet<number>;
  readonly complete: boolean;
}

/** Finds what is in use on one filesystem, as far as it can be known. */
export type FindFilesInUse = (device: number, signal: AbortSignal) => Promise<FilesInUse>;

/**
 * On Linux: the open files, mapped files and working directories of every process that may be looked at (all of them
 * for root, else one's own), and every locked file. By inode, so that a container's view of a path doesn't matter.
 * Elsewhere nothing is known, and nothing is found.
 */
export const findFilesInUse: FindFilesInUse = async (device, signal) => {
  const inodes = new Set<number>();
  if (process.platform !== "linux") return { inodes, complete: true };
  for (const inode of parseLockedInodes(await readText("/proc/locks"))) inodes.add(inode);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/u.test(name));
  let left = MAX_FILES;
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    if (signal.aborted || left <= 0) return { inodes, complete: false };
    // Our own handles are the eviction's.
    if (Number(pid) === process.pid) continue;
    left -= await addOpenFiles(`/proc/${pid}`, device, inodes);
    for (const inode of parseMappedInodes(await readText(`/proc/${pid}/maps`), device)) inodes.add(inode);
  }
  return { inodes, complete: pids.length <= MAX_PROCESSES };
};

async function addOpenFiles(directory: string, device: number, inodes: Set<number>): Promise<number> {
  const names = await readNames(`${directory}/fd`);
  const paths = [...names.map((name) => `${directory}/fd/${name}`), `${directory}/cwd`];
  await Promise.all(
    paths.map(async (path) => {
      try {
        // Sockets and pipes needn't be asked; what they are stands in the link.
        if (!(await readlink(path)).startsWith("/")) return;
        const { dev, ino } = await stat(path);
        if (dev === device) inodes.add(ino);
      } catch (error) {
        // The process has ended, or isn't ours to look at.
        if (systemCode(error) === null) throw error;
      }
    }),
  );
  return paths.length;
}

/** The inodes of files on a device that a process has mapped, of the text of `/proc/PID/maps`. */
export function parseMappedInodes(text: string, device: number): readonly number[] {
  const found: number[] = [];
  // address perms offset major:minor inode path
  for (const [, major = "", minor = "", inode = ""] of text.matchAll(
    /^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)\s+\//gmu,
  )) {
    if (toDevice(parseInt(major, 16), parseInt(minor, 16)) === device) found.push(Number(inode));
  }
  return found;
}

/** The inodes of locked files, of the text of `/proc/locks`; of every device, since some filesystems name another. */
export function parseLockedInodes(text: string): readonly number[] {
  return [...text.matchAll(/ [0-9a-f]+:[0-9a-f]+:(\d+) /gu)].map(([, inode]) => Number(inode));
}

/** A device number as `stat` gives it (glibc's encoding). */
export function toDevice(major: number, minor: number): number {
  const low = (major % 0x1000) * 2 ** 8 + (minor % 0x100);
  return low + Math.floor(minor / 0x100) * 2 ** 20 + Math.floor(major / 0x1000) * 2 ** 44;
}

async function readNames(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return [];
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return "";
  }
}
