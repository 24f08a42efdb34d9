import {
  type Clock,
  type EvictionRequest,
  type EvictionResult,
  PoolError,
  type PoolReading,
  type ResourcePool,
  withDeadline,
} from "@continuum/broker-core";
import type { DockerTierProbe, DockerTierStats, ResourcePoolEntry } from "@continuum/wire-types";
import { setMaxListeners } from "node:events";
import { homedir, hostname as osHostname } from "node:os";
import { candidateEndpoints, parseDockerHost } from "./docker-host.js";
import { type DockerLog, silentLog } from "./docker-log.js";
import { ImageArrivals } from "./evict/image-arrivals.js";
import { type ArrivalTimes, type Inventory, isUsed, takeInventory } from "./evict/inventory.js";
import { parseKeepLabel } from "./evict/keep-label.js";
import type { ImagePlan, ImagePolicy } from "./evict/plan-images.js";
import { planDockerEviction, runDockerEviction } from "./evict/run-docker-eviction.js";
import { type DockerMeasurement, toDockerTierProbe, toDockerTierStats } from "./probe/docker-measurement.js";
import { createDockerTierProbe } from "./probe/docker-tier-probe.js";
import { EngineLocator, type LocatedEngine } from "./probe/engine-locator.js";
import { imageRoots, usesContainerdStore } from "./probe/engine-root.js";
import { type HostFiles, hostFiles, withFileDeadline } from "./probe/host-files.js";

/** One reading takes no longer; below the time that a broker gives a pool. */
const MEASURE_DEADLINE_MS = 2_500;
/** An engine that hangs and a file system that hangs are both waited for within one reading's time. */
const FILE_DEADLINE_MS = 2_000;
const SETTLE_MS = 150;
const CONFLICT_RETRY_MS = 1_000;

/** What eviction may do: nothing, delete what a registry has, or delete every unused image. */
export type EvictMode = "off" | "conservative" | "standard";

/** What the pool is made of. */
export interface DockerPoolOptions {
  /** As in `DOCKER_HOST`; null searches the usual places. */
  readonly dockerHost: string | null;
  readonly evict: EvictMode;
  /** Nothing younger is deleted. */
  readonly minAgeMs: number;
  /** `key=value` or `key`: images with this label stay. */
  readonly keepLabel?: string;
  readonly clock: Clock;
  readonly log?: DockerLog;
  /** As `process.platform`. */
  readonly platform?: NodeJS.Platform;
  readonly home?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly hostname?: () => string;
  readonly files?: HostFiles;
}

/** Stats and probe of one and the same reading. */
export interface DockerTierReading {
  readonly stats: DockerTierStats;
  readonly probe: DockerTierProbe;
  readonly atMs: number;
}

/** Docker's disk as a pool. Whoever made it closes it. */
export interface DockerPool extends ResourcePool {
  /** Measures the tier; answers on every host, with Docker or without. Rejects only for a signal that aborted. */
  tier(signal?: AbortSignal): Promise<DockerTierReading>;
  /** Ends all connections; evictions in flight end as if aborted. */
  close(): Promise<void>;
}

/** Makes the pool; nothing is opened before its first use. Throws a DockerHostError for a host that can't be used. */
export function createDockerPool(options: DockerPoolOptions): DockerPool {
  return new EngineDockerPool(options);
}

class EngineDockerPool implements DockerPool {
  readonly name = "docker";
  readonly #options: DockerPoolOptions;
  readonly #clock: Clock;
  readonly #log: DockerLog;
  readonly #locator: EngineLocator;
  readonly #probe: () => Promise<DockerMeasurement>;
  readonly #arrivals: ImageArrivals;
  readonly #closed = new AbortController();
  #last: DockerMeasurement | null = null;
  #measuring: Promise<DockerMeasurement> | null = null;
  #images: number | null = null;
  #protectedImages = 0;
  #evicted = 0;
  #evicting = false;

  constructor(options: DockerPoolOptions) {
    // As many may wait on it as there are readers.
    setMaxListeners(0, this.#closed.signal);
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    const home = options.home ?? homedir();
    const { dockerHost } = options;
    const endpoints =
      dockerHost === null
        ? candidateEndpoints(home, options.env ?? process.env)
        : [parseDockerHost(dockerHost)];
    const files = withFileDeadline(options.files ?? hostFiles, this.#clock, FILE_DEADLINE_MS);
    this.#locator = new EngineLocator(endpoints, this.#clock);
    this.#arrivals = new ImageArrivals(files);
    this.#probe = createDockerTierProbe({
      locator: this.#locator,
      files,
      clock: this.#clock,
      platform: options.platform ?? process.platform,
      home,
      hostname: options.hostname ?? osHostname,
      dockerHost,
    });
  }

  async read(signal: AbortSignal): Promise<PoolReading> {
    const measurement = await this.#shared(signal);
    const { detected, ...figures } = toDockerTierStats(measurement);
    return {
      atMs: measurement.atMs,
      detected,
      ...figures,
      stale: measurement.kind === "detected" && measurement.stale,
      counters: {
        entryCount: detected ? (this.#images ?? 0) : 0,
        pinnedCount: this.#protectedImages,
        hitCount: 0,
        missCount: 0,
        evictionCount: this.#evicted,
        inflightCount: this.#evicting ? 1 : 0,
      },
    };
  }

  async tier(signal: AbortSignal = this.#closed.signal): Promise<DockerTierReading> {
    const measurement = await this.#shared(signal);
    const { atMs } = measurement;
    return { stats: toDockerTierStats(measurement), probe: toDockerTierProbe(measurement), atMs };
  }

  async entries(signal: AbortSignal): Promise<readonly ResourcePoolEntry[]> {
    const { engine } = await this.#locator.locate();
    if (engine === null) return [];
    const inventory = await this.#takeInventory(engine, signal);
    return inventory.images
      .map((image) => {
        const loadedAt = image.arrivedAtMs ?? image.taggedAtMs ?? image.createdAtMs ?? 0;
        return {
          key: image.id,
          sizeBytes: image.sizeBytes,
          pinnedCount: isUsed(image, inventory.usedImages) ? 1 : 0,
          loadedAt,
          lastAccessAt: Math.max(loadedAt, image.taggedAtMs ?? 0),
          accessCount: 0,
        };
      })
      .sort((a, b) => b.sizeBytes - a.sizeBytes);
  }

  async evict({ wantBytes, signal: asked }: EvictionRequest): Promise<EvictionResult> {
    if (wantBytes <= 0)
      return { claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: null };
    const signal = AbortSignal.any([asked, this.#closed.signal]);
    if (signal.aborted) throw new PoolError("aborted", "the eviction was aborted before it began");
    if (this.#evicting) throw new PoolError("conflict", "an eviction of Docker's disk is running already");
    this.#evicting = true;
    try {
      const engine = await this.#engineOfDisk();
      const { clock, evict } = this.#options;
      const eviction = {
        engine: engine.client,
        measure: this.#probe,
        clock,
        log: this.#log,
        settleMs: SETTLE_MS,
        conflictRetryMs: CONFLICT_RETRY_MS,
        policy: this.#policy(engine),
        takeInventory: (each: AbortSignal) => this.#takeInventory(engine, each),
        onPlan: (plan: ImagePlan) => {
          this.#protectedImages = plan.protectedImages.length;
        },
      };
      const run = evict === "off" ? planDockerEviction : runDockerEviction;
      const result = await run(eviction, wantBytes, signal);
      this.#evicted += result.deleted.length;
      // The engine's count of images is another one now.
      if (result.deleted.length > 0) this.#locator.forget();
      return result;
    } finally {
      this.#evicting = false;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the pool was closed"));
    await this.#locator.close();
  }

  #policy({ info }: LocatedEngine): ImagePolicy {
    const { evict, minAgeMs, keepLabel = "continuum.keep=true" } = this.#options;
    return {
      minAgeMs,
      keepLabel: parseKeepLabel(keepLabel),
      // Switched off, the plan shows all that could go; each item says whether it could be had again.
      allowIrrecoverable: evict !== "conservative",
      digestsAreFromRegistries: !usesContainerdStore(info),
    };
  }

  /** The engine behind the disk that is measured: never is one disk relieved by deleting on another. */
  async #engineOfDisk(): Promise<LocatedEngine> {
    // An engine that hung half a minute ago may be back: an eviction, unlike a reading, can wait for it.
    this.#locator.forgive();
    const measurement = await this.#probe();
    const sighting = await this.#locator.locate();
    const { engine } = sighting;
    if (engine === null) {
      throw new PoolError("unreachable", `no engine answers: ${sighting.tried.join("; ")}`);
    }
    if (measurement.kind !== "detected") {
      throw new PoolError("notFound", `Docker's disk can't be measured: ${measurement.reason}`);
    }
    const isDesktop = engine.info.OperatingSystem === "Docker Desktop";
    const isHere = engine.endpoint.kind === "unix" || /^(localhost|127\..*|::1)$/.test(engine.endpoint.host);
    // A root that is remembered outlives its engine: the one that answers now may be another, with another root.
    const isItsDisk =
      measurement.source === "diskImage"
        ? isDesktop && isHere
        : imageRoots(engine.info).includes(measurement.path);
    if (!isItsDisk) {
      throw new PoolError(
        "failed",
        `${engine.client.name} isn't the engine whose disk is measured (${measurement.path}): nothing is deleted there`,
      );
    }
    return engine;
  }

  async #takeInventory(engine: LocatedEngine, signal: AbortSignal): Promise<Inventory> {
    const arrivedAt: ArrivalTimes = (image) =>
      this.#arrivals.arrivedAt(image, engine.info, this.#clock.nowMs());
    const inventory = await takeInventory(engine.client, arrivedAt, signal);
    this.#arrivals.keepOnly(new Set(inventory.images.map(({ id }) => id)));
    this.#images = inventory.images.length;
    return inventory;
  }

  /** One measurement for all who ask at the same time; each stops waiting when its own signal aborts. */
  #shared(signal: AbortSignal): Promise<DockerMeasurement> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = null;
    });
    const measuring = this.#measuring;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(new PoolError("aborted", "reading Docker's disk was aborted"));
      };
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      measuring
        .finally(() => {
          signal.removeEventListener("abort", onAbort);
        })
        .then(resolve, reject);
    });
  }

  /** Never rejects for what is outside: without a new measurement the last one is given again, marked stale. */
  async #measure(): Promise<DockerMeasurement> {
    const limits = { what: "measuring Docker's disk", deadlineMs: MEASURE_DEADLINE_MS };
    try {
      this.#last = await withDeadline(this.#clock, limits, () => this.#probe());
    } catch (error) {
      const last = this.#last;
      if (last?.kind === "detected") return { ...last, stale: true };
      const reason = error instanceof Error ? error.message : String(error);
      return {
        kind: "notFound",
        atMs: this.#clock.nowMs(),
        path: this.#options.dockerHost ?? "docker",
        reason,
      };
    }
    const { engine } = await this.#locator.locate();
    if (engine !== null) this.#images = engine.info.Images;
    return this.#last;
  }
}
