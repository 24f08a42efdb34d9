import { type EvictionResult, systemClock } from "@continuum/broker-core";
import { afterEach, beforeEach } from "vitest";
import { createDockerPool, type DockerPool, type DockerPoolOptions } from "../docker-pool.js";
import { StubDocker, type StubImage } from "./stub-docker.js";

/** Bytes of a block of the stub's filesystem. */
export const BLOCK = 4096;
/** An hour, in ms. */
export const HOUR = 3_600_000;
/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** The `n`th image of a test: the higher, the younger. */
export function image(n: number, given: Partial<StubImage> = {}): StubImage {
  const id = `sha256:${String(n).padStart(64, "0")}`;
  const createdAtMs = Date.now() - (200 - n) * HOUR;
  return { id, tags: [`app:${n}`], sizeBytes: 100 * BLOCK, createdAtMs, ...given };
}

/** A stub of an engine for each test, and pools on it that end with the test. */
export class StubPools {
  docker!: StubDocker;
  readonly #pools: DockerPool[] = [];

  constructor() {
    beforeEach(async () => {
      this.docker = await StubDocker.start();
    });
    afterEach(async () => {
      await this.close();
      await this.docker.stop();
    });
  }

  readonly create = (given: Partial<DockerPoolOptions> = {}): DockerPool => {
    const pool = createDockerPool({
      dockerHost: `unix://${this.docker.engine.socketPath}`,
      evict: "standard",
      minAgeMs: 0,
      clock: systemClock,
      platform: "linux",
      home: this.docker.engine.dir,
      env: {},
      hostname: () => "here",
      files: this.docker.files,
      ...given,
    });
    this.#pools.push(pool);
    return pool;
  };

  async close(): Promise<void> {
    for (const pool of this.#pools.splice(0)) await pool.close();
  }

  /** The ids of the images that are there. */
  ids(): readonly string[] {
    return this.docker.images.map(({ id }) => id);
  }
}

/** Has a pool free so many blocks. */
export function evict(
  pool: DockerPool,
  blocks: number,
  signal: AbortSignal = never,
): Promise<EvictionResult> {
  return pool.evict({ wantBytes: blocks * BLOCK, signal });
}

/** What an eviction deleted. */
export function keys({ deleted }: EvictionResult): readonly string[] {
  return deleted.map(({ key }) => key);
}
