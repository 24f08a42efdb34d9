import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * SHA-256 over everything below the given directories: each entry's path, kind, mode and owner, and the bytes of
 * every file. Read from the disk itself rather than through the engine, so that it needs no free space, disturbs
 * nothing, and notices damage that the engine's metadata would hide.
 */
export async function checksumTrees(roots: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const [index, root] of roots.entries()) {
    hash.update(`root ${index}\n`);
    await addTree(hash, root, "");
  }
  return hash.digest("hex");
}

async function addTree(hash: Hash, root: string, path: string): Promise<void> {
  const names = (await readdir(join(root, path))).sort();
  for (const name of names) {
    const relative = join(path, name);
    const full = join(root, relative);
    const stat = await lstat(full);
    hash.update(`${JSON.stringify(relative)} ${stat.mode} ${stat.uid} ${stat.gid}\n`);
    if (stat.isSymbolicLink()) hash.update(await readlink(full));
    else if (stat.isFile()) {
      hash.update(`${stat.size}\n`);
      for await (const chunk of createReadStream(full)) hash.update(chunk as Buffer);
    } else if (stat.isDirectory()) await addTree(hash, root, relative);
  }
}
