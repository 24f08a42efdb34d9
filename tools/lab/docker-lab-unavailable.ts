import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destroyLab } from "./destroy-lab.js";
import { findTool } from "./find-tool.js";
import { mountLabFilesystem } from "./lab-filesystem.js";
import { writeOwner } from "./lab-owner.js";
import { runTool } from "./run-tool.js";
import { LAB_DIR_PREFIX } from "./sweep-stale-labs.js";

/** Program -> the Debian package that brings it. */
const NEEDED_TOOLS = {
  dockerd: "docker.io",
  docker: "docker.io",
  containerd: "docker.io",
  "mkfs.ext4": "e2fsprogs",
  mount: "mount",
  umount: "mount",
  losetup: "mount",
  busybox: "busybox-static",
} as const;

/** Null when a lab can run on this machine, otherwise the reason, worded for a person; takes well under a second. */
export async function dockerLabUnavailable(): Promise<string | null> {
  if (process.platform !== "linux") return `a lab needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "a lab needs root (it mounts a filesystem)";
  const missing = Object.entries(NEEDED_TOOLS).filter(([tool]) => findTool(tool) === null);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))].join(" ");
    return `not installed: ${missing.map(([tool]) => tool).join(", ")} (apt-get install ${packages})`;
  }
  if (!existsSync("/dev/loop-control")) return "no loop devices here (/dev/loop-control is missing)";
  return await tryMounts();
}

/** Root in a container may lack the right to mount; only doing it tells. */
async function tryMounts(): Promise<string | null> {
  const dir = mkdtempSync(join(tmpdir(), LAB_DIR_PREFIX));
  try {
    writeOwner(dir);
    const mountPoint = await mountLabFilesystem(dir, 4 * 2 ** 20);
    const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) =>
      join(mountPoint, name),
    );
    for (const each of [lower, upper, work, merged]) mkdirSync(String(each));
    const overlay = `lowerdir=${String(lower)},upperdir=${String(upper)},workdir=${String(work)}`;
    await runTool("mount", ["-t", "overlay", "overlay", "-o", overlay, String(merged)], {
      timeoutMs: 10_000,
    });
    return null;
  } catch (error) {
    return `can't mount here: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    destroyLab(dir);
  }
}
