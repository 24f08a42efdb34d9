import { ManualClock } from "@continuum/broker-core/testing";
import {
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DirectoryCachePool, type DirectoryPoolOptions } from "../index.js";

const DAY_MS = 86_400_000;

/** A directory for one test, removed at the end of its scope. */
export async function tempDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "continuum-cache-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A file of so many bytes that was last used so many days ago. */
export async function makeFile(root: string, path: string, bytes: number, ageDays: number): Promise<void> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, Buffer.alloc(bytes, 1));
  const at = new Date(Date.now() - ageDays * DAY_MS);
  await utimes(full, at, at);
}

/** A revision as huggingface_hub lays it out: file -> blob's name, KiB and age in days. */
export async function addRevision(
  root: string,
  repository: string,
  revision: string,
  files: Readonly<Record<string, readonly [blob: string, kib: number, ageDays: number]>>,
  ref?: string,
): Promise<void> {
  const base = join(root, repository);
  await mkdir(join(base, "snapshots", revision), { recursive: true });
  for (const [name, [blob, kib, ageDays]] of Object.entries(files)) {
    await makeFile(base, `blobs/${blob}`, kib * 1024, ageDays);
    const link = join(base, "snapshots", revision, name);
    await symlink(`../../blobs/${blob}`, link);
    await ageLink(link, 90);
  }
  if (ref === undefined) return;
  await mkdir(dirname(join(base, "refs", ref)), { recursive: true });
  await writeFile(join(base, "refs", ref), revision);
}

/** A pool of a directory with eviction on and a minimum age of a week; its clock stands at now. */
export function poolAt(
  root: string,
  options: Partial<DirectoryPoolOptions>,
): { readonly pool: DirectoryCachePool; readonly events: string[]; readonly clock: ManualClock } {
  const events: string[] = [];
  const clock = new ManualClock(Date.now());
  const pool = new DirectoryCachePool({
    name: "cache",
    root,
    maxBytes: 2 ** 20,
    evict: "on",
    minAgeMs: 7 * DAY_MS,
    clock,
    onEvent: (message) => events.push(message),
    ...options,
  });
  return { pool, events, clock };
}

/** What `du` says: the allocated bytes of everything below, each file once, the root itself left out. */
export async function allocated(root: string, seen = new Set<number>()): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(root)) {
    const path = join(root, name);
    const { ino, blocks, ...stats } = await lstat(path);
    if (seen.has(ino)) continue;
    seen.add(ino);
    bytes += blocks * 512;
    if ((stats.mode & 0o170000) === 0o040000) bytes += await allocated(path, seen);
  }
  return bytes;
}

/** Whether a path leads to something; a link that leads nowhere doesn't. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/** Gives a link itself an age: one that has just been made counts as young. */
export async function ageLink(path: string, ageDays: number): Promise<void> {
  const at = new Date(Date.now() - ageDays * DAY_MS);
  await lutimes(path, at, at);
}
