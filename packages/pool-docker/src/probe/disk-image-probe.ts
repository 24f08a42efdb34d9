import { type Clock, PoolError } from "@continuum/broker-core";
import { posix, win32 } from "node:path";
import { z } from "zod";
import type { DetectedMeasurement } from "./docker-measurement.js";
import { fileErrorText, type HostFiles } from "./host-files.js";
import { measureFilesystem } from "./measure-filesystem.js";
import { readVhdxDiskBytes } from "./vhdx-header.js";

/** Docker Desktop's settings, as far as they say where its disk lies; older versions wrote the keys in small letters. */
const settingsSchema = z.object({
  DataFolder: z.string().optional(),
  dataFolder: z.string().optional(),
  CustomWslDistroDir: z.string().optional(),
  customWslDistroDir: z.string().optional(),
});

/** What the probe of Docker Desktop's disk image works with. */
export interface DiskImageProbeOptions {
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The image's figures, or a line for each path that was tried. */
export type DiskImageResult =
  | { readonly measurement: DetectedMeasurement }
  | { readonly measurement: null; readonly path: string; readonly tried: readonly string[] };

/** Measures the file that Docker Desktop's virtual machine has as its disk, where this platform has it. */
export async function measureDiskImage(options: DiskImageProbeOptions): Promise<DiskImageResult> {
  const paths = await imagePaths(options);
  const tried: string[] = [];
  for (const candidate of paths) {
    let path: string;
    try {
      path = await options.files.realpath(candidate);
    } catch (error) {
      const text = fileErrorText(error);
      if (!["ENOENT", "ENOTDIR", "EACCES", "EPERM"].includes(text)) throw error;
      tried.push(`${candidate}: ${text}`);
      continue;
    }
    if (options.platform !== "win32") return { measurement: await measureRaw(options, path) };
    try {
      return { measurement: await measureVhdx(options, path) };
    } catch (error) {
      if (!(error instanceof PoolError && error.code === "protocol")) throw error;
      tried.push(`${candidate}: ${error.message}`);
    }
  }
  return { measurement: null, path: paths[0] ?? "Docker.raw", tried };
}

/**
 * A sparse file: its length is what it may grow to, its blocks are what it occupies, and it can grow no further than the
 * host has space left.
 */
async function measureRaw(
  { files, clock }: DiskImageProbeOptions,
  path: string,
): Promise<DetectedMeasurement> {
  const { size, blocks } = await files.stat(path);
  const usedBytes = blocks * 512;
  const { availableBytes } = await measureFilesystem(files, posix.dirname(path));
  const capacityBytes = Math.min(size, usedBytes + availableBytes);
  return toMeasurement(clock, path, { allocatedBytes: size, usedBytes, capacityBytes, shrinks: true });
}

/** Its length is the most that it ever held, and stays; how large it may become stands in its metadata. */
async function measureVhdx(
  { files, clock }: DiskImageProbeOptions,
  path: string,
): Promise<DetectedMeasurement> {
  const allocatedBytes = await readVhdxDiskBytes((offset, length) => files.readBytes(path, offset, length));
  const { size: usedBytes } = await files.stat(path);
  const { availableBytes } = await measureFilesystem(files, win32.dirname(path));
  const capacityBytes = Math.min(allocatedBytes, usedBytes + availableBytes);
  return toMeasurement(clock, path, { allocatedBytes, usedBytes, capacityBytes, shrinks: false });
}

function toMeasurement(
  clock: Clock,
  path: string,
  figures: Pick<DetectedMeasurement, "allocatedBytes" | "usedBytes" | "capacityBytes" | "shrinks">,
): DetectedMeasurement {
  const source = "diskImage";
  return { kind: "detected", source, atMs: clock.nowMs(), path, ...figures, inodes: null, stale: false };
}

/** Where the image may be, what the settings name first. */
async function imagePaths(options: DiskImageProbeOptions): Promise<string[]> {
  const { platform, home } = options;
  switch (platform) {
    case "darwin":
      return await macPaths(options);
    case "win32":
      return await windowsPaths(options);
    default:
      return [posix.join(home, ".docker/desktop/vms/0/data/Docker.raw")];
  }
}

async function macPaths({ files, home }: DiskImageProbeOptions): Promise<string[]> {
  const standard = posix.join(home, "Library/Containers/com.docker.docker/Data/vms/0/data/Docker.raw");
  const group = posix.join(home, "Library/Group Containers/group.com.docker");
  for (const name of ["settings-store.json", "settings.json"]) {
    const settings = await readSettings(files, posix.join(group, name));
    const folder = settings?.DataFolder ?? settings?.dataFolder ?? "";
    if (folder === "") continue;
    // Some versions name the file itself.
    const configured = folder.endsWith(".raw") ? folder : posix.join(folder, "Docker.raw");
    return configured === standard ? [standard] : [configured, standard];
  }
  return [standard];
}

async function windowsPaths({ files, home, env }: DiskImageProbeOptions): Promise<string[]> {
  const local = env["LOCALAPPDATA"] ?? win32.join(home, "AppData", "Local");
  const roaming = env["APPDATA"] ?? win32.join(home, "AppData", "Roaming");
  const standard = imagesBelow(win32.join(local, "Docker", "wsl"));
  for (const name of ["settings-store.json", "settings.json"]) {
    const settings = await readSettings(files, win32.join(roaming, "Docker", name));
    const folder = settings?.CustomWslDistroDir ?? settings?.customWslDistroDir ?? "";
    if (folder === "") continue;
    return [...imagesBelow(folder), ...imagesBelow(win32.join(folder, "DockerDesktopWSL")), ...standard];
  }
  return standard;
}

/** Newer versions keep the data apart from the distribution. */
function imagesBelow(folder: string): string[] {
  return [win32.join(folder, "disk", "docker_data.vhdx"), win32.join(folder, "data", "ext4.vhdx")];
}

/** One of Docker's settings files; null when it can't be read: the settings are not ours to judge. */
async function readSettings(files: HostFiles, path: string): Promise<z.output<typeof settingsSchema> | null> {
  try {
    return settingsSchema.parse(JSON.parse(await files.readText(path)));
  } catch {
    return null;
  }
}
