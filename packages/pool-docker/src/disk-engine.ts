import { PoolError } from "@continuum/broker-core";
import { formatDockerEndpoint } from "./docker-host.js";
import {
  type DetectedMeasurement,
  type DockerMeasurement,
  requireDetected,
} from "./probe/docker-measurement.js";
import type { EngineLocator, LocatedEngine } from "./probe/engine-locator.js";
import { imageRoots } from "./probe/engine-root.js";

/** What finding the engine behind a disk needs. */
export interface DiskEngineOptions {
  readonly locator: EngineLocator;
  readonly measure: () => Promise<DockerMeasurement>;
}

/**
 * The engine behind the disk that is measured: never is one disk relieved by deleting on another. Throws a PoolError
 * when no engine answers, the disk can't be measured, or the two don't belong together.
 */
export async function findDiskEngine({ locator, measure }: DiskEngineOptions): Promise<LocatedEngine> {
  // An engine that hung half a minute ago may be back: an eviction, unlike a reading, can wait for it.
  locator.forgive();
  const answer = await measure();
  const sighting = await locator.locate();
  const { engine } = sighting;
  if (engine === null) {
    throw new PoolError("unreachable", `no engine answers: ${sighting.tried.join("; ")}`);
  }
  const measurement = requireDetected(answer);
  if (!measurement.shrinks) {
    throw new PoolError(
      "failed",
      `deleting doesn't make ${measurement.path} smaller: nothing is deleted for it; to shrink it, stop Docker Desktop and compact the file`,
    );
  }
  if (!isDiskOf(engine, measurement)) {
    throw new PoolError(
      "failed",
      `${engine.client.name} isn't the engine whose disk is measured (${measurement.path}): nothing is deleted there`,
    );
  }
  return engine;
}

function isDiskOf({ info, endpoint }: LocatedEngine, { source, path }: DetectedMeasurement): boolean {
  if (source === "diskImage") {
    const isHere = endpoint.kind === "unix" || /^(localhost|127\..*|::1)$/.test(endpoint.host);
    return info.OperatingSystem === "Docker Desktop" && isHere;
  }
  if (source === "engineApi") return path === formatDockerEndpoint(endpoint);
  // A root that is remembered outlives its engine: the one that answers now may be another, with another root.
  return imageRoots(info).includes(path);
}
