import {
  type Clock,
  type EvictionRequest,
  type EvictionResult,
  PoolError,
  type PoolReading,
  type ResourcePool,
  withDeadline,
} from "@continuum/broker-core";
import type {
  DockerTierProbe,
  DockerTierStats,
  DockerTierUsage,
  ResourcePoolEntry,
} from "@continuum/wire-types";
import { setMaxListeners } from "node:events";
import { homedir, hostname as osHostname } from "node:os";
import { DockerAttributor } from "./attribution/docker-attributor.js";
import { type LargestConsumer, largestConsumer } from "./attribution/largest-consumer.js";
import { toTierUsage } from "./attribution/to-tier-usage.js";
import { findDiskEngine } from "./disk-engine.js";
import { candidateEndpoints, formatDockerEndpoint, parseDockerHost } from "./docker-host.js";
import { type DockerLog, silentLog } from "./docker-log.js";
import { DockerEvictions } from "./evict/docker-evictions.js";
import { toInventoryEngine } from "./evict/engine-inventory.js";
import { ImageArrivals } from "./evict/image-arrivals.js";
import { InventoryTaker } from "./evict/inventory-taker.js";
import { type EvictionRules, toEvictionPolicy } from "./eviction-rules.js";
import { type EvictionLedger, MemoryLedger } from "./journal/eviction-ledger.js";
import { UseJournal } from "./journal/use-journal.js";
import { MemoryUseStore, type UseStore } from "./journal/use-store.js";
import type { EvictionPolicy, EvictionPolicyName } from "./plan/eviction-policy.js";
import {
  type DockerMeasurement,
  toDiskReading,
  toDockerTierProbe,
  toDockerTierStats,
} from "./probe/docker-measurement.js";
import { createDockerTierProbe } from "./probe/docker-tier-probe.js";
import { EngineLocator, type LocatedEngine } from "./probe/engine-locator.js";
import { digestsAreFromRegistries } from "./probe/engine-root.js";
import { type HostFiles, hostFiles, withFileDeadline } from "./probe/host-files.js";

/** One reading takes no longer; below the time that a broker gives a pool. */
const MEASURE_DEADLINE_MS = 2_500;
/** An engine that hangs and a file system that hangs are both waited for within one reading's time. */
const FILE_DEADLINE_MS = 2_000;

const OFF_SHORTFALL =
  "eviction is off: nothing was deleted; switch it on with --evict conservative (only what a registry has) or --evict standard";

/** What eviction on pressure may do: nothing, or what a policy allows. */
export type EvictMode = "off" | EvictionPolicyName;

/** What the pool is made of. */
export interface DockerPoolOptions extends EvictionRules {
  /** As in `DOCKER_HOST`; null searches the usual places. */
  readonly dockerHost: string | null;
  readonly evict: EvictMode;
  /** What the disk of an engine on another machine holds; null: nobody knows. */
  readonly capacityBytes?: number | null;
  /** Where the uses of images are remembered; in memory when left out. */
  readonly useStore?: UseStore;
  /** Where deletions are written down; in memory when left out. */
  readonly ledger?: EvictionLedger;
  /** Whether store and ledger survive this process. */
  readonly isDurable?: () => boolean;
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

/** Plans, applied plans, their history and their undoing: see `DockerEvictions`. */
export type DockerEvictionControl = Pick<DockerEvictions, "plan" | "apply" | "history" | "undo" | "close">;

/** Docker's disk as a pool. Whoever made it closes it. */
export interface DockerPool extends ResourcePool {
  readonly evictions: DockerEvictionControl;
  /** Begins what goes on in the background: following the engine's events. Without it uses aren't known. */
  start(): void;
  /** Measures the tier; answers on every host, with Docker or without. Rejects only for a signal that aborted. */
  tier(signal?: AbortSignal): Promise<DockerTierReading>;
  /**
   * Who fills the disk, the largest first; gathered anew when what is known is older than `maxAgeMs`, or unknown.
   * Rejects with a PoolError when nothing is known and nothing can be had.
   */
  usage(
    options: { readonly limit: number; readonly maxAgeMs: number | null },
    signal: AbortSignal,
  ): Promise<DockerTierUsage>;
  /** What takes up most of the disk, by what was gathered last; null when that isn't known. Gathers nothing. */
  largest(): LargestConsumer | null;
  /** Gathers who fills the disk when that is due; for a slow tick. An engine that can't say is no error: `usage` tells. */
  refreshUsage(signal: AbortSignal): Promise<void>;
  /** Ends all connections; evictions in flight end as if aborted. */
  close(): Promise<void>;
}

/** Makes the pool; nothing is opened before its first use. Throws a DockerHostError for a host that can't be used. */
export function createDockerPool(options: DockerPoolOptions): DockerPool {
  return new EngineDockerPool(options);
}

class EngineDockerPool implements DockerPool {
  readonly name = "docker";
  readonly evictions: DockerEvictions;
  readonly #options: DockerPoolOptions;
  readonly #clock: Clock;
  readonly #locator: EngineLocator;
  readonly #probe: () => Promise<DockerMeasurement>;
  readonly #journal: UseJournal;
  readonly #attributor: DockerAttributor;
  readonly #inventory: InventoryTaker;
  readonly #closed = new AbortController();
  #last: DockerMeasurement | null = null;
  #measuring: Promise<DockerMeasurement> | null = null;
  #images: number | null = null;
  #protectedImages = 0;
  #evicted = 0;
  #hasRecovered = false;

  constructor(options: DockerPoolOptions) {
    // As many may wait on it as there are readers.
    setMaxListeners(0, this.#closed.signal);
    this.#options = options;
    this.#clock = options.clock;
    const { clock, dockerHost, log = silentLog } = options;
    const home = options.home ?? homedir();
    const endpoints =
      dockerHost === null
        ? candidateEndpoints(home, options.env ?? process.env)
        : [parseDockerHost(dockerHost)];
    const files = withFileDeadline(options.files ?? hostFiles, clock, FILE_DEADLINE_MS);
    this.#locator = new EngineLocator(endpoints, clock);
    this.#inventory = new InventoryTaker({ arrivals: new ImageArrivals(files), clock, log });
    this.#attributor = new DockerAttributor({
      locate: () => this.#locateForUsage(),
      files,
      clock,
      measure: () => this.#shared(this.#closed.signal),
    });
    this.#probe = createDockerTierProbe({
      locator: this.#locator,
      files,
      clock,
      platform: options.platform ?? process.platform,
      home,
      hostname: options.hostname ?? osHostname,
      dockerHost,
      env: options.env ?? process.env,
      apiUsage: () => this.#attributor.apiUsage(),
      capacityBytes: options.capacityBytes ?? null,
    });
    this.#journal = new UseJournal({
      locate: async () => {
        const { engine } = await this.#locator.locate();
        return engine === null ? null : { id: toEngineId(engine), engine: engine.client };
      },
      store: options.useStore ?? new MemoryUseStore(),
      clock,
      log,
    });
    const engineOfDisk = (): Promise<LocatedEngine> =>
      findDiskEngine({ locator: this.#locator, measure: this.#probe });
    this.evictions = new DockerEvictions({
      clock,
      log,
      ledger: options.ledger ?? new MemoryLedger(),
      isDurable: options.isDurable ?? (() => false),
      uses: () => this.#journal.history(),
      engineOfDisk: async () => {
        const engine = await engineOfDisk();
        const areFromRegistries = digestsAreFromRegistries(engine.info);
        return { id: toEngineId(engine), engine: engine.client, digestsAreFromRegistries: areFromRegistries };
      },
      measure: () => this.#measureAfresh(),
      takeInventory: async (policy, signal) =>
        await this.#takeInventory(await engineOfDisk(), policy, signal),
      policyNamed: (name) => toEvictionPolicy(name, options),
      onPlan: ({ protectedEntries }) => {
        this.#protectedImages = protectedEntries.filter(({ kind }) => kind === "image").length;
      },
      onDeleted: (count) => {
        this.#evicted += count;
        // The engine's count of images is another one now.
        this.#locator.forget();
      },
    });
  }

  start(): void {
    this.#journal.start();
    // It logs its failures, and never rejects.
    void this.#recoverOnce();
  }

  async read(signal: AbortSignal): Promise<PoolReading> {
    const measurement = await this.#shared(signal);
    const { detected, ...figures } = toDockerTierStats(measurement);
    return {
      atMs: measurement.atMs,
      detected,
      ...figures,
      inodes: measurement.kind === "detected" ? measurement.inodes : null,
      stale: measurement.kind === "detected" && measurement.stale,
      counters: {
        entryCount: detected ? (this.#images ?? 0) : 0,
        pinnedCount: this.#protectedImages,
        hitCount: 0,
        missCount: 0,
        evictionCount: this.#evicted,
        inflightCount: this.evictions.isRunning ? 1 : 0,
      },
    };
  }

  async tier(signal: AbortSignal = this.#closed.signal): Promise<DockerTierReading> {
    const measurement = await this.#shared(signal);
    const { atMs } = measurement;
    return { stats: toDockerTierStats(measurement), probe: toDockerTierProbe(measurement), atMs };
  }

  async usage(
    { limit, maxAgeMs }: { readonly limit: number; readonly maxAgeMs: number | null },
    signal: AbortSignal,
  ): Promise<DockerTierUsage> {
    const known = this.#attributor.latest();
    if (known === null || (maxAgeMs !== null && known.ageMs > maxAgeMs))
      await this.#attributor.refresh(signal);
    const latest = this.#attributor.latest();
    if (latest === null) {
      const why = this.#attributor.lastError ?? "nothing is known of it yet";
      throw new PoolError("unreachable", `who fills Docker's disk can't be told: ${why}`);
    }
    const reading = latest.reading ?? (await this.#diskReading(signal));
    const durable = this.#options.isDurable?.() ?? false;
    const journal = { ...this.#journal.status(), durable };
    return toTierUsage({ ...latest, reading }, this.#journal.history(), journal, limit);
  }

  largest(): LargestConsumer | null {
    const latest = this.#attributor.latest();
    return latest === null ? null : largestConsumer(latest.attribution);
  }

  async refreshUsage(signal: AbortSignal): Promise<void> {
    await this.#recoverOnce();
    if (this.#attributor.isDue()) await this.#attributor.refresh(signal);
  }

  async entries(signal: AbortSignal): Promise<readonly ResourcePoolEntry[]> {
    const { entries } = await this.usage({ limit: Number.MAX_SAFE_INTEGER, maxAgeMs: null }, signal);
    return entries.map(({ kind, id, sizeBytes, inUse, createdAtMs, lastUsedAtMs, useCount }) => ({
      // A container and its log have one id.
      key: kind === "containerLog" ? `${id} log` : id,
      sizeBytes: sizeBytes ?? 0,
      pinnedCount: inUse === false ? 0 : 1,
      loadedAt: createdAtMs ?? 0,
      lastAccessAt: lastUsedAtMs ?? createdAtMs ?? 0,
      accessCount: useCount ?? 0,
    }));
  }

  async evict(request: EvictionRequest): Promise<EvictionResult> {
    const { wantBytes, wantInodes = 0 } = request;
    if (wantBytes <= 0 && wantInodes <= 0)
      return { claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: null };
    const signal = AbortSignal.any([request.signal, this.#closed.signal]);
    if (signal.aborted) throw new PoolError("aborted", "the eviction was aborted before it began");
    const { evict } = this.#options;
    // Switched off, the plan shows all that could go; each item says whether it could be had again.
    if (evict === "off")
      return await this.evictions.rehearse({ ...request, signal }, "standard", OFF_SHORTFALL);
    return await this.evictions.relieve({ ...request, signal }, evict);
  }

  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the pool was closed"));
    await Promise.all([this.evictions.close(), this.#journal.close(), this.#attributor.close()]);
    await this.#locator.close();
  }

  /** Once, as soon as there is an engine: what a core that was killed left undone. */
  async #recoverOnce(): Promise<void> {
    if (this.#hasRecovered) return;
    try {
      await this.evictions.recover();
      this.#hasRecovered = true;
    } catch (error) {
      const { log = silentLog } = this.#options;
      // Without an engine now: later, or with the first eviction. Anything else is a bug, which must be seen.
      const text = "what a killed eviction may have left isn't looked for yet";
      if (error instanceof PoolError) log.debug({ err: error }, text);
      else log.warn({ err: error }, text);
    }
  }

  async #locateForUsage(): ReturnType<ConstructorParameters<typeof DockerAttributor>[0]["locate"]> {
    const { engine } = await this.#locator.locate();
    if (engine === null) return null;
    const { endpoint, info, client } = engine;
    const hostname = this.#options.hostname ?? osHostname;
    return { engine: client, isRemote: endpoint.kind === "tcp" && info.Name !== hostname() };
  }

  async #diskReading(signal: AbortSignal): Promise<DockerTierUsage["reading"]> {
    const measurement = await this.#shared(signal);
    return measurement.kind === "detected" ? toDiskReading(measurement) : null;
  }

  /** What an eviction goes by: of a remote engine its figures are gathered for the purpose. */
  async #measureAfresh(): Promise<DockerMeasurement> {
    const measurement = await this.#probe();
    if (measurement.kind !== "detected" || measurement.source !== "engineApi") return measurement;
    await this.#attributor.refresh(this.#closed.signal);
    return await this.#probe();
  }

  async #takeInventory(
    { client, info }: LocatedEngine,
    { name }: EvictionPolicy,
    signal: AbortSignal,
  ): Promise<Awaited<ReturnType<InventoryTaker["take"]>>> {
    const withContainers = name === "aggressive";
    const inventory = await this.#inventory.take(toInventoryEngine(client), info, { withContainers }, signal);
    this.#images = inventory.images.length;
    this.#journal.noteLayers(inventory.images);
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

/** What an engine calls itself, or where it is and keeps its data. */
function toEngineId({ info, endpoint }: LocatedEngine): string {
  return info.ID ?? `${formatDockerEndpoint(endpoint)} ${info.DockerRootDir}`;
}
