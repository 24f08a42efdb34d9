import { toPressure } from "@continuum/broker-core";
import type { DockerTierProbe, DockerTierStats } from "@continuum/wire-types";

/** Docker's storage at one moment: all that is said about the tier derives from one of these. */
export type DockerMeasurement =
  | {
      readonly kind: "detected";
      /** A directory of the engine's, or the sparse file that a virtual machine has as its disk. */
      readonly source: "engineRoot" | "diskImage";
      readonly atMs: number;
      readonly path: string;
      readonly allocatedBytes: number;
      readonly usedBytes: number;
      /** What `usedBytes` is held against; of a disk image no more than the host can still give it. */
      readonly capacityBytes: number;
      /** An earlier measurement, given again because a new one couldn't be had. */
      readonly stale: boolean;
    }
  | { readonly kind: "notFound"; readonly atMs: number; readonly path: string; readonly reason: string }
  | { readonly kind: "unsupported"; readonly atMs: number; readonly os: string; readonly reason: string };

/** A measurement that has figures. */
export type DetectedMeasurement = Extract<DockerMeasurement, { kind: "detected" }>;

/** The contract's figures of a measurement; all 0 for what isn't there. */
export function toDockerTierStats(measurement: DockerMeasurement): DockerTierStats {
  if (measurement.kind !== "detected")
    return { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false };
  const { capacityBytes, usedBytes } = measurement;
  return { capacityBytes, usedBytes, pressure: toPressure(usedBytes, capacityBytes), detected: true };
}

/** The contract's account of where the figures come from, or why there are none. */
export function toDockerTierProbe(measurement: DockerMeasurement): DockerTierProbe {
  switch (measurement.kind) {
    case "detected": {
      const { allocatedBytes, usedBytes, path } = measurement;
      return { kind: "detected", allocatedBytes, usedBytes, path };
    }
    case "notFound":
      return { kind: "notFound", path: measurement.path, reason: measurement.reason };
    case "unsupported":
      return { kind: "unsupported", os: measurement.os, reason: measurement.reason };
  }
}
