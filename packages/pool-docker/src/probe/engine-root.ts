import type { EngineInfo } from "../engine/engine-replies.js";

/** Where a containerd of the system's own keeps its images. */
const CONTAINERD_ROOT = "/var/lib/containerd";

/** Whether the engine keeps images with containerd instead of a graph driver of its own. */
export function usesContainerdStore(info: Pick<EngineInfo, "DriverStatus">): boolean {
  return (info.DriverStatus ?? []).some(
    ([key, value]) => key === "driver-type" && value?.startsWith("io.containerd.snapshotter") === true,
  );
}

/** The directories that may hold the engine's images, the likeliest first. */
export function imageRoots(info: Pick<EngineInfo, "DriverStatus" | "DockerRootDir">): readonly string[] {
  return usesContainerdStore(info) ? [CONTAINERD_ROOT, info.DockerRootDir] : [info.DockerRootDir];
}
