import { FakePool } from "@continuum/broker-core/testing";
import { PoolError, toPressure } from "@continuum/broker-core";
import type { DockerEvictionControl, DockerPool, DockerTierReading } from "@continuum/pool-docker";
import type { DockerTierUsage } from "@continuum/wire-types";

const PATH = "/var/lib/docker";

/** Docker's tier with figures that a test sets. */
export class FakeDockerPool extends FakePool implements DockerPool {
  isClosed = false;
  isStarted = false;
  /** What the eviction commands do; by default nothing is there to be done. */
  evictions: DockerEvictionControl = {
    plan: () => Promise.reject(new PoolError("notFound", "no engine answers")),
    apply: () => Promise.reject(new PoolError("notFound", "no engine answers")),
    undo: () => Promise.reject(new PoolError("notFound", "no engine answers")),
    history: () => ({ records: [], nextBeforeSequence: null, durable: false }),
    close: () => Promise.resolve(),
  };
  onUsage: () => Promise<DockerTierUsage> = () =>
    Promise.reject(new PoolError("unreachable", "no engine answers"));

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

  start(): void {
    this.isStarted = true;
  }

  usage(): Promise<DockerTierUsage> {
    return this.onUsage();
  }

  largest(): null {
    return null;
  }

  refreshUsage(): Promise<void> {
    return Promise.resolve();
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
