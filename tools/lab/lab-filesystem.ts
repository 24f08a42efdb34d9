import { mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DockerLabError } from "./docker-lab-error.js";
import { findTool } from "./find-tool.js";
import { runTool } from "./run-tool.js";

/** Makes a sparse ext4 image of `sizeBytes` in the lab's directory and mounts it; gives the mount point. */
export async function mountLabFilesystem(
  dir: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<string> {
  const mkfs = findTool("mkfs.ext4");
  const mount = findTool("mount");
  if (mkfs === null || mount === null)
    throw new DockerLabError("unavailable", "no mkfs.ext4 or mount on this machine");
  const image = join(dir, "disk.img");
  const mountPoint = join(dir, "mnt");
  const file = await open(image, "w");
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
  mkdirSync(mountPoint);
  await runTool(mkfs, ["-q", "-F", image], { timeoutMs: 30_000, signal });
  await runTool(mount, ["-o", "loop", image, mountPoint], { timeoutMs: 30_000, signal });
  return mountPoint;
}
