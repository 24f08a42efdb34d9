import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import { open, readFile, realpath, stat, statfs } from "node:fs/promises";

/** What is asked of the host's file system. Failures are those of Node, with their `code`. */
export interface HostFiles {
  stat(path: string): Promise<{
    readonly dev: number;
    readonly ino: number;
    readonly size: number;
    readonly blocks: number;
    readonly mtimeMs: number;
    isDirectory(): boolean;
  }>;
  statfs(path: string): Promise<{
    readonly bsize: number;
    readonly blocks: number;
    readonly bfree: number;
    readonly bavail: number;
    /** Inodes, and how many of them are free; 0 where the filesystem makes them as they are needed. */
    readonly files: number;
    readonly ffree: number;
  }>;
  realpath(path: string): Promise<string>;
  readText(path: string): Promise<string>;
  /** Bytes from an offset on; fewer than asked for at the end of the file. */
  readBytes(path: string, offset: number, length: number): Promise<Uint8Array>;
}

/** The machine's own files. */
export const hostFiles: HostFiles = {
  stat: (path) => stat(path),
  statfs: (path) => statfs(path),
  realpath: (path) => realpath(path),
  readText: (path) => readFile(path, "utf8"),
  readBytes: async (path, offset, length) => {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
};

/**
 * Files of which no call is waited for longer than a deadline.
 *
 * A call on a mount that hangs occupies one of Node's few threads until the mount comes back, so there is never a
 * second one beside it: until then every further call fails at once, with a PoolError `timeout`.
 */
export function withFileDeadline(files: HostFiles, clock: Clock, deadlineMs: number): HostFiles {
  let hanging: string | null = null;
  const guard = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    if (hanging !== null) throw new PoolError("timeout", `the file system hangs: ${hanging} doesn't return`);
    const started = call();
    try {
      return await withDeadline(clock, { what, deadlineMs }, () => started);
    } catch (error) {
      if (error instanceof PoolError && error.code === "timeout") {
        hanging = what;
        const over = (): void => {
          hanging = null;
        };
        started.then(over, over);
      }
      throw error;
    }
  };
  return {
    stat: (path) => guard(`stat of ${path}`, () => files.stat(path)),
    statfs: (path) => guard(`statfs of ${path}`, () => files.statfs(path)),
    realpath: (path) => guard(`realpath of ${path}`, () => files.realpath(path)),
    readText: (path) => guard(`reading ${path}`, () => files.readText(path)),
    readBytes: (path, offset, length) =>
      guard(`reading ${path}`, () => files.readBytes(path, offset, length)),
  };
}

/** The code of a failed file call (`ENOENT`, ...), or its message where it has none. */
export function fileErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" && !(error instanceof PoolError)
    ? error.code
    : error.message;
}
