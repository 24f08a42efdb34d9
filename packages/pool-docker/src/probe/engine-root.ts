import { posix } from "node:path";
import type { EngineInfo } from "../engine/engine-replies.js";

/** Where a containerd of the system's own keeps its images. */
const SYSTEM_CONTAINERD_ROOT = "/var/lib/containerd";

type RootInfo = Pick<EngineInfo, "DriverStatus" | "DockerRootDir" | "SecurityOptions" | "Containerd">;

/** Whether the engine keeps images with containerd instead of a graph driver of its own. */
export function usesContainerdStore(info: Pick<EngineInfo, "DriverStatus">): boolean {
  return (info.DriverStatus ?? []).some(
    ([key, value]) => key === "driver-type" && value?.startsWith("io.containerd.snapshotter") === true,
  );
}

/**
 * Whether a digest shows that a registry has an image: Docker's own store gives digests to what was pulled or pushed,
 * while containerd's and Podman's give them to what was built or imported here, too.
 */
export function digestsAreFromRegistries(info: Pick<EngineInfo, "DriverStatus" | "BuildahVersion">): boolean {
  return !usesContainerdStore(info) && typeof info.BuildahVersion !== "string";
}

/**
 * The directories that may hold the engine's images and containers: its root, and with containerd's image store the root
 * of that containerd: the system's, or the one that the engine started for itself (as a rootless engine always does),
 * which lies below the engine's own.
 */
export function imageRoots(info: RootInfo): readonly string[] {
  const own = info.DockerRootDir;
  if (!usesContainerdStore(info)) return [own];
  const managed = posix.join(own, "containerd/daemon");
  const isRootless = (info.SecurityOptions ?? []).some((option) => option.includes("name=rootless"));
  const address = info.Containerd?.Address ?? "";
  // The engine's own containerd listens below the directory that the engine runs in.
  const isManaged = isRootless || address.endsWith("/docker/containerd/containerd.sock");
  return isManaged ? [managed, own] : [SYSTEM_CONTAINERD_ROOT, managed, own];
}
