import { PoolError } from "@continuum/broker-core";
import type { EngineClient } from "../engine/engine-client.js";
import type { BuildCacheRecord, EngineContainer, EngineContainerDetail } from "../engine/engine-replies.js";
import type { InventoryCacheRecord, InventoryContainer } from "../plan/docker-inventory.js";
import type { InventoryEngine } from "./inventory-taker.js";

const INSPECT_AT_ONCE = 4;

type ListingEngine = Pick<
  EngineClient,
  "images" | "imageInspect" | "imageHistory" | "containers" | "containerInspect" | "buildCache"
>;

/** An engine's lists as the planner takes them. */
export function toInventoryEngine(engine: ListingEngine): InventoryEngine {
  return {
    images: (signal) => engine.images(signal),
    imageInspect: (image, signal) => engine.imageInspect(image, signal),
    imageHistory: (image, signal) => engine.imageHistory(image, signal),
    buildCacheRecords: async (signal) => (await engine.buildCache(signal))?.map(toInventoryRecord) ?? null,
    containerList: async ({ withSizes }, signal) => {
      const listed = await engine.containers(signal, { withSizes });
      if (!withSizes) return listed.map((container) => toListed(container, null));
      // Only one that ended can go, and only its details say when it did.
      const queue = [...listed];
      const containers: InventoryContainer[] = [];
      const work = async (): Promise<void> => {
        for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
          const detail = await inspect(engine, each, signal);
          if (detail !== null) containers.push(detail);
        }
      };
      await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
      return containers;
    },
  };
}

/** A container as its details say, but for its size. */
export function toInventoryContainer(detail: EngineContainerDetail): InventoryContainer {
  const { Id, Name, Image, Created, State, Config } = detail;
  const hasEnded = State.Status !== "created" && State.Status !== "running";
  return {
    id: Id,
    name: Name.replace(/^\//u, ""),
    imageId: Image,
    image: Config?.Image ?? "",
    state: State.Status,
    labels: Config?.Labels ?? {},
    createdAtMs: Created,
    finishedAtMs: hasEnded ? State.FinishedAt : null,
    writableBytes: null,
  };
}

async function inspect(
  engine: ListingEngine,
  listed: EngineContainer,
  signal: AbortSignal | undefined,
): Promise<InventoryContainer | null> {
  const writableBytes = toWritableBytes(listed);
  if (listed.State === "running") return toListed(listed, writableBytes);
  try {
    return { ...toInventoryContainer(await engine.containerInspect(listed.Id, signal)), writableBytes };
  } catch (error) {
    if (error instanceof PoolError && error.code === "notFound") return null;
    throw error;
  }
}

function toListed(container: EngineContainer, writableBytes: number | null): InventoryContainer {
  const { Id, Names, Image, ImageID, State, Created, Labels } = container;
  return {
    id: Id,
    name: (Names?.[0] ?? Id.slice(0, 12)).replace(/^\//u, ""),
    imageId: ImageID,
    image: Image,
    state: State ?? "",
    labels: Labels,
    createdAtMs: typeof Created === "number" && Created > 0 ? Math.round(Created * 1000) : null,
    finishedAtMs: null,
    writableBytes,
  };
}

/** The engine leaves out a size of 0, and writes -1 for one that it doesn't know. */
function toWritableBytes({ SizeRw, SizeRootFs }: EngineContainer): number | null {
  if (typeof SizeRw === "number") return SizeRw < 0 ? null : SizeRw;
  return typeof SizeRootFs === "number" && SizeRootFs >= 0 ? 0 : null;
}

function toInventoryRecord(record: BuildCacheRecord): InventoryCacheRecord {
  const { ID, Parent, Parents, InUse, Shared, Size, CreatedAt, LastUsedAt, UsageCount, Description } = record;
  return {
    id: ID,
    parentIds: Parents ?? (typeof Parent === "string" && Parent !== "" ? [Parent] : []),
    inUse: InUse,
    shared: Shared,
    sizeBytes: Size,
    createdAtMs: CreatedAt,
    lastUsedAtMs: LastUsedAt,
    useCount: UsageCount ?? 0,
    description: Description ?? "",
  };
}
