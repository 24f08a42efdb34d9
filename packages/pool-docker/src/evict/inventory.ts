import { PoolError } from "@continuum/broker-core";
import type { EngineClient } from "../engine/engine-client.js";
import type { EngineContainer, EngineImage } from "../engine/engine-replies.js";

/** One image as the planner sees it. Times are Unix milliseconds; null means unknown. */
export interface InventoryImage {
  readonly id: string;
  /** The image that this one was built on, by the older builder; "" when not known. */
  readonly parentId: string;
  /** Its layers from the base up: an image whose layers are the first of another's frees nothing while that one stays. */
  readonly layers: readonly string[];
  readonly tags: readonly string[];
  /** References with a digest, which pull the image back where a registry has it. */
  readonly digests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly createdAtMs: number | null;
  readonly taggedAtMs: number | null;
  /** When it came to this machine. */
  readonly arrivedAtMs: number | null;
}

/** What an engine holds, as far as eviction is concerned. */
export interface Inventory {
  readonly images: readonly InventoryImage[];
  /** Ids and references of the images of all containers, running or not. */
  readonly usedImages: ReadonlySet<string>;
}

/** When images came to this machine, by what stands outside the Engine API; null when that isn't known. */
export type ArrivalTimes = (image: {
  readonly id: string;
  readonly taggedAtMs: number | null;
}) => Promise<number | null>;

type InventoryEngine = Pick<EngineClient, "containers" | "images" | "imageInspect">;

const INSPECT_AT_ONCE = 4;

/** Lists containers first, then images: an image that comes into use in between is caught right before its deletion. */
export async function takeInventory(
  engine: InventoryEngine,
  arrivedAt: ArrivalTimes,
  signal: AbortSignal,
): Promise<Inventory> {
  const usedImages = toUsedImages(await engine.containers(signal));
  const listed = await engine.images(signal);
  const queue = [...listed];
  const images: InventoryImage[] = [];
  const work = async (): Promise<void> => {
    for (let image = queue.shift(); image !== undefined; image = queue.shift()) {
      const detailed = await detail(engine, image, arrivedAt, signal);
      if (detailed !== null) images.push(detailed);
    }
  };
  await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
  return { images, usedImages };
}

/** What containers use: ids, and the references that they were made from. */
export function toUsedImages(containers: readonly EngineContainer[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { Image, ImageID } of containers) {
    for (const each of [Image, ImageID]) if (each !== "") used.add(each);
    // A container may name its image without a tag, or by an id without its algorithm.
    if (Image !== "" && !Image.includes("@") && Image.lastIndexOf(":") <= Image.lastIndexOf("/")) {
      used.add(`${Image}:latest`).add(`sha256:${Image}`);
    }
  }
  return used;
}

/** Whether a container, running or not, is made from the image. */
export function isUsed(
  { id, tags, digests }: Pick<InventoryImage, "id" | "tags" | "digests">,
  usedImages: ReadonlySet<string>,
): boolean {
  return [id, ...tags, ...digests].some((each) => usedImages.has(each));
}

async function detail(
  engine: InventoryEngine,
  image: EngineImage,
  arrivedAt: ArrivalTimes,
  signal: AbortSignal,
): Promise<InventoryImage | null> {
  const { Id: id, ParentId: parentId, RepoTags: tags, RepoDigests: digests, Size: sizeBytes } = image;
  const createdAtMs = image.Created > 0 ? Math.round(image.Created * 1000) : null;
  const listed = { id, parentId, tags, digests, labels: image.Labels, sizeBytes, createdAtMs };
  try {
    const inspected = await engine.imageInspect(id, signal);
    const taggedAtMs = inspected.Metadata?.LastTagTime ?? null;
    const layers = inspected.RootFS?.Layers ?? [];
    return { ...listed, layers, taggedAtMs, arrivedAtMs: await arrivedAt({ id, taggedAtMs }) };
  } catch (error) {
    if (error instanceof PoolError && error.code === "notFound") return null;
    throw error;
  }
}
