import { type Clock, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { EngineInfo } from "../engine/engine-replies.js";
import type {
  DockerInventory,
  InventoryCacheRecord,
  InventoryContainer,
  InventoryImage,
} from "../plan/docker-inventory.js";
import { digestsAreFromRegistries } from "../probe/engine-root.js";
import { type TimedLine, toBuildMs } from "./build-time.js";
import type { ImageArrivals } from "./image-arrivals.js";
import { isQuarantineTag } from "./quarantine.js";
import { type HistoryLine, toLayerBytes } from "./layer-bytes.js";

/** What taking stock needs of an engine. */
export interface InventoryEngine {
  images(signal?: AbortSignal): Promise<
    readonly {
      readonly Id: string;
      readonly ParentId: string;
      readonly RepoTags: readonly string[];
      readonly RepoDigests: readonly string[];
      readonly Labels: Readonly<Record<string, string>>;
      readonly Size: number;
      readonly Created: number;
    }[]
  >;
  imageInspect(
    image: string,
    signal?: AbortSignal,
  ): Promise<{
    readonly Metadata?: { readonly LastTagTime: number | null } | null | undefined;
    readonly RootFS?: { readonly Layers?: readonly string[] | null | undefined } | null | undefined;
  }>;
  imageHistory(image: string, signal?: AbortSignal): Promise<readonly (HistoryLine & TimedLine)[]>;
  containerList(
    options: { readonly withSizes: boolean },
    signal?: AbortSignal,
  ): Promise<readonly InventoryContainer[]>;
  buildCacheRecords(signal?: AbortSignal): Promise<readonly InventoryCacheRecord[] | null>;
}

const INSPECT_AT_ONCE = 4;

/** What an image's history tells, which doesn't change. */
type ImageHistory = Pick<InventoryImage, "layerBytes" | "buildMs">;

/** Takes stock of what an engine holds; what can't change of an image is asked for once. */
export class InventoryTaker {
  readonly #arrivals: ImageArrivals;
  readonly #clock: Clock;
  readonly #log: DockerLog;
  readonly #histories = new Map<string, ImageHistory>();

  constructor({
    arrivals,
    clock,
    log,
  }: {
    readonly arrivals: ImageArrivals;
    readonly clock: Clock;
    readonly log: DockerLog;
  }) {
    this.#arrivals = arrivals;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Lists containers first, then images: an image that comes into use in between is caught right before its deletion.
   * Build cache that can't be listed is null, and costs no image its place.
   */
  async take(
    engine: InventoryEngine,
    info: EngineInfo,
    { withContainers }: { readonly withContainers: boolean },
    signal: AbortSignal,
  ): Promise<DockerInventory> {
    const containers = await engine.containerList({ withSizes: withContainers }, signal);
    const listed = await engine.images(signal);
    const queue = [...listed];
    const images: InventoryImage[] = [];
    const work = async (): Promise<void> => {
      for (let image = queue.shift(); image !== undefined; image = queue.shift()) {
        const detailed = await this.#detail(engine, image, info, signal);
        if (detailed !== null) images.push(detailed);
      }
    };
    await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
    const ids = new Set(images.map(({ id }) => id));
    this.#arrivals.keepOnly(ids);
    for (const id of this.#histories.keys()) if (!ids.has(id)) this.#histories.delete(id);
    return {
      images,
      containers,
      buildCache: await this.#buildCache(engine, signal),
      digestsAreFromRegistries: digestsAreFromRegistries(info),
    };
  }

  async #detail(
    engine: InventoryEngine,
    image: Awaited<ReturnType<InventoryEngine["images"]>>[number],
    info: EngineInfo,
    signal: AbortSignal,
  ): Promise<InventoryImage | null> {
    const { Id: id, ParentId: parentId, RepoDigests: digests, Size: sizeBytes } = image;
    // Left by an eviction that couldn't take them back: no names of anybody's.
    const tags = image.RepoTags.filter((tag) => !isQuarantineTag(tag));
    try {
      const inspected = await engine.imageInspect(id, signal);
      const taggedAtMs = inspected.Metadata?.LastTagTime ?? null;
      const layers = inspected.RootFS?.Layers ?? [];
      return {
        id,
        parentId,
        layers,
        ...(await this.#historyOf(engine, id, layers.length, signal)),
        tags,
        digests,
        labels: image.Labels,
        sizeBytes,
        createdAtMs: image.Created > 0 ? Math.round(image.Created * 1000) : null,
        taggedAtMs,
        arrivedAtMs: await this.#arrivals.arrivedAt({ id, taggedAtMs }, info, this.#clock.nowMs()),
      };
    } catch (error) {
      if (error instanceof PoolError && error.code === "notFound") return null;
      throw error;
    }
  }

  async #historyOf(
    engine: InventoryEngine,
    id: string,
    layerCount: number,
    signal: AbortSignal,
  ): Promise<ImageHistory> {
    const known = this.#histories.get(id);
    if (known !== undefined) return known;
    const lines = await engine.imageHistory(id, signal);
    const history = { layerBytes: toLayerBytes(lines, layerCount), buildMs: toBuildMs(lines) };
    this.#histories.set(id, history);
    return history;
  }

  async #buildCache(
    engine: InventoryEngine,
    signal: AbortSignal,
  ): Promise<readonly InventoryCacheRecord[] | null> {
    try {
      return await engine.buildCacheRecords(signal);
    } catch (error) {
      if (!(error instanceof PoolError) || error.code === "unreachable" || error.code === "aborted")
        throw error;
      this.#log.warn({ err: error }, `build cache isn't known: ${error.message}`);
      return null;
    }
  }
}
