import type { Clock } from "@continuum/broker-core";
import type { DockerMeasurement } from "./docker-measurement.js";
import { measureDiskImage } from "./disk-image-probe.js";
import type { EngineLocator } from "./engine-locator.js";
import type { HostFiles } from "./host-files.js";
import { type ApiUsage, LinuxEngineProbe } from "./linux-engine-probe.js";

/** What the probe works with. */
export interface DockerTierProbeOptions {
  readonly locator: EngineLocator;
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly hostname: () => string;
  /** The host as it was given; null when the usual places are searched. */
  readonly dockerHost: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A remote engine's own figures; null while they are being gathered. */
  readonly apiUsage: () => ApiUsage | null;
  /** What a remote engine's disk holds; null when nobody said. */
  readonly capacityBytes: number | null;
}

const START_ADVICE = "start Docker, or name the engine with --docker-host or DOCKER_HOST";

/** Gives the function that measures Docker's storage on this platform, once for each call. */
export function createDockerTierProbe(options: DockerTierProbeOptions): () => Promise<DockerMeasurement> {
  switch (options.platform) {
    case "linux":
      return probeLinux(options);
    case "darwin":
    case "win32":
      return probeDesktop(options);
    default:
      return () => Promise.resolve(unsupported(options));
  }
}

function probeLinux(options: DockerTierProbeOptions): () => Promise<DockerMeasurement> {
  const engineProbe = new LinuxEngineProbe(options);
  return async () => {
    const result = await engineProbe.measure();
    if (result.measurement !== null) return result.measurement;
    const { engine } = await options.locator.locate();
    const isDesktop = engine?.info.OperatingSystem === "Docker Desktop";
    const tried = [...result.tried];
    // An engine that was named and doesn't answer says nothing about a Docker Desktop that nobody named.
    if (isDesktop || options.dockerHost === null) {
      const image = await measureDiskImage(options);
      if (image.measurement !== null) return image.measurement;
      tried.push(...image.tried);
    }
    const path = options.dockerHost ?? "/var/run/docker.sock";
    return notFound(options, path, tried);
  };
}

/** Docker runs in a virtual machine here: its disk is a file, unless an engine elsewhere was named. */
function probeDesktop(options: DockerTierProbeOptions): () => Promise<DockerMeasurement> {
  const engineProbe = new LinuxEngineProbe(options);
  return async () => {
    if (options.dockerHost?.startsWith("tcp://") === true) {
      const { measurement } = await engineProbe.measure();
      if (measurement?.kind === "detected" && measurement.source === "engineApi") return measurement;
    }
    const image = await measureDiskImage(options);
    return image.measurement ?? notFound(options, image.path, image.tried);
  };
}

function notFound(
  { clock }: DockerTierProbeOptions,
  path: string,
  tried: readonly string[],
): DockerMeasurement {
  const reason = `no Docker found. Tried: ${tried.join("; ")}. What to do: ${START_ADVICE}`;
  return { kind: "notFound", atMs: clock.nowMs(), path, reason };
}

function unsupported({ clock, platform }: DockerTierProbeOptions): DockerMeasurement {
  const reason = `Docker's disk can be measured on Linux, macOS and Windows, not on ${platform}`;
  return { kind: "unsupported", atMs: clock.nowMs(), os: platform, reason };
}
