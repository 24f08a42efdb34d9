import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe } from "vitest";

const run = promisify(execFile);
const WITHIN_MS = 20_000;

/** Why no loop filesystem can be made here; null when one can. */
function unavailable(): string | null {
  if (process.platform !== "linux") return `${process.platform} has no loop mounts`;
  if (process.getuid?.() !== 0) return "only root may mount";
  const missing = ["mkfs.ext4", "mount", "umount"].filter((tool) => {
    return spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${tool}`]).status !== 0;
  });
  return missing.length === 0 ? null : `${missing.join(", ")} isn't installed`;
}

const reason = unavailable();
const mustRun = process.env["CI"] === "true";

/** A suite that needs a small filesystem of its own. Where there can be none it says why and is skipped; in CI it fails. */
export function describeWithLoopDisk(name: string, body: () => void): void {
  const skip = reason !== null && !mustRun;
  if (skip) console.warn(`skipped, no loop filesystem here: ${name}: ${reason}`);
  describe.skipIf(skip)(name, body);
}

/** A small ext4 filesystem on a loop device; gone at the end of its scope. */
export interface LoopDisk extends AsyncDisposable {
  readonly mountPoint: string;
  /** Writes until nothing fits any more; what an earlier call wrote goes first. */
  fill(): Promise<void>;
  /** Takes away what `fill` wrote. */
  drain(): Promise<void>;
}

/** Makes and mounts one. */
export async function createLoopDisk(sizeBytes: number): Promise<LoopDisk> {
  const directory = await mkdtemp(join(tmpdir(), "continuum-loop-"));
  const image = join(directory, "image");
  const mountPoint = join(directory, "disk");
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const options = { env, timeout: WITHIN_MS };
  await mkdir(mountPoint);
  const file = await open(image, "w");
  await file.truncate(sizeBytes);
  await file.close();
  await run("mkfs.ext4", ["-q", "-F", "-m", "0", image], options);
  await run("mount", ["-o", "loop", image, mountPoint], options);
  const fillerPath = join(mountPoint, "filler");
  return {
    mountPoint,
    fill: async () => {
      await rm(fillerPath, { force: true });
      const filler = await open(fillerPath, "w");
      try {
        for (let block = 1 << 20; block >= 512; block /= 2) await writeUntilFull(filler, Buffer.alloc(block));
      } finally {
        await filler.close();
      }
    },
    drain: () => rm(fillerPath, { force: true }),
    [Symbol.asyncDispose]: async () => {
      execFileSync("umount", [mountPoint], options);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, zeros: Buffer): Promise<void> {
  for (;;) {
    try {
      const { bytesWritten } = await file.write(zeros);
      if (bytesWritten < zeros.length) break;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOSPC") break;
      throw error;
    }
  }
  // What was promised and not yet placed may still not fit.
  await file.sync().catch(() => undefined);
}
