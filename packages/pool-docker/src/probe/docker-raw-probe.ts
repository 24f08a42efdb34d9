import type { Clock } from "@continuum/broker-core";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { DetectedMeasurement } from "./docker-measurement.js";
import { fileErrorText, type HostFiles } from "./host-files.js";
import { measureFilesystem } from "./measure-filesystem.js";

const settingsSchema = z.object({
  DataFolder: z.string().optional(),
  dataFolder: z.string().optional(),
});

/** What the probe of Docker Desktop's disk image works with. */
export interface DockerRawProbeOptions {
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

/** The image's figures, or a line for each path that was tried. */
export type DockerRawResult =
  | { readonly measurement: DetectedMeasurement }
  | { readonly measurement: null; readonly path: string; readonly tried: readonly string[] };

/**
 * Measures the sparse file that Docker Desktop's virtual machine has as its disk: its length is what it may grow to,
 * its blocks are what it occupies, and it can grow no further than the host has space left.
 */
export async function measureDockerRaw(options: DockerRawProbeOptions): Promise<DockerRawResult> {
  const { files, clock } = options;
  const paths = await imagePaths(options);
  const tried: string[] = [];
  for (const candidate of paths) {
    let path: string;
    try {
      path = await files.realpath(candidate);
    } catch (error) {
      const text = fileErrorText(error);
      if (!["ENOENT", "ENOTDIR", "EACCES", "EPERM"].includes(text)) throw error;
      tried.push(`${candidate}: ${text}`);
      continue;
    }
    const { size, blocks } = await files.stat(path);
    const usedBytes = blocks * 512;
    const { availableBytes } = await measureFilesystem(files, dirname(path));
    const figures = {
      allocatedBytes: size,
      usedBytes,
      capacityBytes: Math.min(size, usedBytes + availableBytes),
    };
    return {
      measurement: {
        kind: "detected",
        source: "diskImage",
        atMs: clock.nowMs(),
        path,
        ...figures,
        stale: false,
      },
    };
  }
  return { measurement: null, path: paths[0] ?? "Docker.raw", tried };
}

/** Where the image may be, the settings' folder first. */
async function imagePaths({ files, platform, home }: DockerRawProbeOptions): Promise<string[]> {
  if (platform !== "darwin") {
    return [join(home, ".docker/desktop/vms/0/data/Docker.raw")];
  }
  const standard = join(home, "Library/Containers/com.docker.docker/Data/vms/0/data/Docker.raw");
  const group = join(home, "Library/Group Containers/group.com.docker");
  for (const name of ["settings-store.json", "settings.json"]) {
    const folder = await dataFolder(files, join(group, name));
    if (folder === null) continue;
    const configured = join(folder, "Docker.raw");
    return configured === standard ? [standard] : [configured, standard];
  }
  return [standard];
}

/** `DataFolder` of one of Docker's settings files; null when there is none: the settings are not ours to judge. */
async function dataFolder(files: HostFiles, path: string): Promise<string | null> {
  try {
    const settings = settingsSchema.parse(JSON.parse(await files.readText(path)));
    const folder = settings.DataFolder ?? settings.dataFolder ?? "";
    return folder === "" ? null : folder;
  } catch {
    return null;
  }
}
