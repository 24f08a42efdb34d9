import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, stat, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
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

  describe("on Windows", () => {
    const LOCAL = "C:\\Users\\me\\AppData\\Local";
    const ROAMING = "C:\\Users\\me\\AppData\\Roaming";
    const NEW = `${LOCAL}\\Docker\\wsl\\disk\\docker_data.vhdx`;
    const OLD = `${LOCAL}\\Docker\\wsl\\data\\ext4.vhdx`;
    const disk = gunzipSync(readFileSync(join(import.meta.dirname, "fixtures/dynamic-64gib.vhdx.gz")));
    const missing = (path: string): Error => Object.assign(new Error(path), { code: "ENOENT" });
    /** A Windows host with some files of this length, and so much space. */
    const windows = (
      present: readonly string[],
      length: number,
      free: number,
      settings: string | null = null,
    ) => ({
      ...hostFiles,
      realpath: (path: string) =>
        present.includes(path) ? Promise.resolve(path) : Promise.reject(missing(path)),
      stat: () =>
        Promise.resolve({ dev: 1, ino: 1, size: length, blocks: 0, mtimeMs: 0, isDirectory: () => false }),
      statfs: () =>
        Promise.resolve({ bsize: 1, blocks: free, bfree: free, bavail: free, files: 0, ffree: 0 }),
      readText: (path: string) =>
        settings !== null && path === `${ROAMING}\\Docker\\settings-store.json`
          ? Promise.resolve(settings)
          : Promise.reject(missing(path)),
      readBytes: (_path: string, offset: number, bytes: number) =>
        Promise.resolve(disk.subarray(offset, offset + bytes)),
    });
    const measureWindows = (files: ReturnType<typeof windows>) =>
      measureDiskImage({
        files,
        clock: systemClock,
        platform: "win32",
        home: "C:\\Users\\me",
        env: { LOCALAPPDATA: LOCAL, APPDATA: ROAMING },
      });

    it.each([
      ["the newer path", [NEW, OLD], null, NEW],
      ["the older path", [OLD], null, OLD],
      [
        "where the settings say",
        ["D:\\wsl\\DockerDesktopWSL\\disk\\docker_data.vhdx", NEW],
        '{"CustomWslDistroDir":"D:\\\\wsl"}',
        "D:\\wsl\\DockerDesktopWSL\\disk\\docker_data.vhdx",
      ],
    ])("finds it at %s", async (_where, present, settings, path) => {
      const { measurement } = await measureWindows(windows(present, 1_000, 2_000, settings));
      expect(measurement).toMatchObject({
        path,
        source: "diskImage",
        allocatedBytes: 64 * 2 ** 30,
        usedBytes: 1_000,
        capacityBytes: 3_000,
        // Its length is a high-water mark: nothing is evicted on it.
        shrinks: false,
      });
    });

    it("can't hold more than its disk, however much space the host has", async () => {
      const { measurement } = await measureWindows(windows([NEW], 1_000, 2 ** 50));
      expect(measurement?.capacityBytes).toBe(64 * 2 ** 30);
    });

    it("names what it tried, and a file that is none", async () => {
      expect(await measureWindows(windows([], 0, 1))).toMatchObject({ measurement: null, path: NEW });
      const broken = { ...windows([OLD], 10, 10), readBytes: () => Promise.resolve(Buffer.alloc(8)) };
      const { measurement, ...rest } = await measureWindows(broken);
      expect(measurement).toBeNull();
      expect(JSON.stringify(rest)).toContain("no usable VHDX file");
    });
  });
});
