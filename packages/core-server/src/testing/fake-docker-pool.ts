import { FakePool } from "@continuum/broker-core/testing";
import { toPressure } from "@continuum/broker-core";
import type { DockerPool, DockerTierReading } from "@continuum/pool-docker";

const PATH = "/var/lib/docker";

/** Docker's tier with figures that a test sets. */
export class FakeDockerPool extends FakePool implements DockerPool {
  isClosed = false;

  constructor(figures: { readonly usedBytes: number; readonly capacityBytes: number }) {
    super("docker", figures);
  }

  tier(): Promise<DockerTierReading> {
    const { usedBytes, capacityBytes, detected } = this;
    return Promise.resolve({
      stats: { usedBytes, capacityBytes, pressure: toPressure(usedBytes, capacityBytes), detected },
      probe: detected
        ? { kind: "detected", allocatedBytes: capacityBytes, usedBytes, path: PATH }
        : { kind: "notFound", path: PATH, reason: "no such directory" },
      atMs: 0,
    });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** As on a host without Docker. */
  vanish(): void {
    this.detected = false;
    this.usedBytes = 0;
    this.capacityBytes = 0;
  }
}
