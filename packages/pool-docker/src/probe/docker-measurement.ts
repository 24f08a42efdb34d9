import {
  type BindingPressure,
  type InodeUse,
  PoolError,
  toBindingPressure,
  toPressure,
} from "@continuum/broker-core";
import type { DockerDiskReading, DockerTierProbe, DockerTierStats } from "@continuum/wire-types";

/** Docker's storage at one moment: all that is said about the tier derives from one of these. */
export type DockerMeasurement =
  | {
      readonly kind: "detected";
      /**
       * A directory of the engine's; the file that a virtual machine has as its disk; or the engine's own figures, where
       * its disk can't be measured from here.
       */
      readonly source: "engineRoot" | "diskImage" | "engineApi";
      readonly atMs: number;
      /** The directory, the file, or the engine's address. */
      readonly path: string;
      readonly allocatedBytes: number;
      readonly usedBytes: number;
      /** What `usedBytes` is held against; of a disk image no more than the host can still give it; 0 when unknown. */
      readonly capacityBytes: number;
      /** Null where there is no such notion, or where it can't be known. */
      readonly inodes: InodeUse | null;
      /** Whether deleting lessens `usedBytes`: the length of a VHDX file never does. */
      readonly shrinks: boolean;
      /** An earlier measurement, given again because a new one couldn't be had. */
      readonly stale: boolean;
    }
  | { readonly kind: "notFound"; readonly atMs: number; readonly path: string; readonly reason: string }
  | { readonly kind: "unsupported"; readonly atMs: number; readonly os: string; readonly reason: string };

/** A measurement that has figures. */
export type DetectedMeasurement = Extract<DockerMeasurement, { kind: "detected" }>;

/** A measurement that must have figures: throws a PoolError `notFound` with the reason when it has none. */
export function requireDetected(measurement: DockerMeasurement): DetectedMeasurement {
  if (measurement.kind === "detected") return measurement;
  throw new PoolError("notFound", `Docker's disk can't be measured: ${measurement.reason}`);
}

/** The contract's figures of a measurement; all 0 for what isn't there. */
export function toDockerTierStats(measurement: DockerMeasurement): DockerTierStats {
  if (measurement.kind !== "detected")
    return { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false };
  const { capacityBytes, usedBytes } = measurement;
  return { capacityBytes, usedBytes, pressure: toPressure(usedBytes, capacityBytes), detected: true };
}

/** Whether bytes or inodes are nearer to their end, and how near. */
export function bindingOf({ usedBytes, capacityBytes, inodes }: DetectedMeasurement): BindingPressure {
  return toBindingPressure({ pressure: toPressure(usedBytes, capacityBytes), inodes });
}

/** All that a measurement says, as it goes over the wire. */
export function toDiskReading(measurement: DetectedMeasurement): DockerDiskReading {
  const { atMs, path, source, stale, usedBytes, capacityBytes, inodes } = measurement;
  return {
    atMs,
    path,
    source,
    stale,
    usedBytes,
    capacityBytes,
    pressure: toPressure(usedBytes, capacityBytes),
    usedInodes: inodes?.usedInodes ?? null,
    capacityInodes: inodes?.capacityInodes ?? null,
    inodePressure: inodes === null ? null : toPressure(inodes.usedInodes, inodes.capacityInodes),
    binds: bindingOf(measurement).binds,
  };
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
