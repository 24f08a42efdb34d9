import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "@continuum/broker-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { measureDiskImage } from "./disk-image-probe.js";
import { hostFiles } from "./host-files.js";

const MIB = 2 ** 20;
const STANDARD = "Library/Containers/com.docker.docker/Data/vms/0/data/Docker.raw";

/** A sparse file of 64 MiB in which 3 MiB are written. */
async function writeSparse(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "w");
  await file.truncate(64 * MIB);
  await file.write(Buffer.alloc(3 * MIB, 7), 0, 3 * MIB, 8 * MIB);
  await file.sync();
  await file.close();
}

describe("measureDiskImage", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "docker-raw-"));
  });
  afterEach(() => rm(home, { recursive: true }));
  const measure = (platform: NodeJS.Platform, files = hostFiles) =>
    measureDiskImage({ files, clock: systemClock, platform, home, env: {} });

  it("tells what a sparse file may grow to from what it occupies", async () => {
    const path = join(home, STANDARD);
    await writeSparse(path);
    const { measurement } = await measure("darwin");
    const { stdout } = await promisify(execFile)("du", ["--block-size=1", path]);
    expect(measurement).toMatchObject({ path, source: "diskImage", allocatedBytes: 64 * MIB });
    expect(measurement?.usedBytes).toBe(Number(stdout.split("\t")[0]));
    expect(measurement?.usedBytes).toBeLessThan(5 * MIB);
    expect(measurement?.capacityBytes).toBe(64 * MIB);
  });

  it("counts no more capacity than the host can still give", async () => {
    const path = join(home, ".docker/desktop/vms/0/data/Docker.raw");
    await writeSparse(path);
    const full = { bsize: 4096, blocks: 1000, bfree: 300, bavail: 256, files: 0, ffree: 0 };
    const { measurement } = await measure("linux", { ...hostFiles, statfs: () => Promise.resolve(full) });
    expect(measurement?.capacityBytes).toBe((await stat(path)).blocks * 512 + MIB);
  });

  it("follows the settings' folder and a symbolic link", async () => {
    await writeSparse(join(home, "disk/real.raw"));
    await symlink(join(home, "disk/real.raw"), join(home, "disk/Docker.raw"));
    const group = join(home, "Library/Group Containers/group.com.docker");
    await mkdir(group, { recursive: true });
    await writeFile(join(group, "settings-store.json"), JSON.stringify({ DataFolder: join(home, "disk") }));
    expect((await measure("darwin")).measurement?.path).toBe(join(home, "disk/real.raw"));
    await writeFile(join(group, "settings-store.json"), "not json");
    await writeFile(join(group, "settings.json"), JSON.stringify({ dataFolder: join(home, "disk") }));
    expect((await measure("darwin")).measurement?.path).toBe(join(home, "disk/real.raw"));
  });

  it("names what it looked for", async () => {
    const path = join(home, STANDARD);
    expect(await measure("darwin")).toEqual({ measurement: null, path, tried: [`${path}: ENOENT`] });
  });
});
