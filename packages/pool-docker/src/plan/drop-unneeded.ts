import type { ImageCandidate } from "./choose-images.js";
import type { InventoryCacheRecord, InventoryContainer } from "./docker-inventory.js";
import { type LayerForest, type LayerNode, pathOf } from "./layer-forest.js";

/** What was chosen, kind by kind, each in its order. */
export interface Chosen {
  readonly records: readonly InventoryCacheRecord[];
  readonly containers: readonly InventoryContainer[];
  readonly images: readonly ImageCandidate[];
}

/** What an image needs to go, and what goes anyway. */
export interface DropContext {
  readonly forest: LayerForest;
  /** Images that hold layers and aren't chosen. */
  readonly stayingIds: readonly string[];
  /** Containers that must be gone before the image can go. */
  readonly holdersOf: (image: ImageCandidate) => readonly InventoryContainer[];
  /** What all that is chosen frees beyond what is wanted; negative when it doesn't suffice. */
  readonly spareBytes: number;
}

/**
 * Drops what isn't needed, the most valuable first, images before containers before build cache, until nothing more can
 * be dropped: what is left frees what is wanted, and any entry less would not.
 */
export function dropUnneeded(chosen: Chosen, context: DropContext): Chosen {
  const images = dropImages(chosen.images, context);
  let { spareBytes } = images;
  const needed = new Set(images.left.flatMap(context.holdersOf));
  const containers = new Set(chosen.containers);
  for (const container of [...chosen.containers].reverse()) {
    const bytes = container.writableBytes ?? 0;
    if (bytes > spareBytes || needed.has(container)) continue;
    containers.delete(container);
    spareBytes -= bytes;
  }
  const records = new Map(chosen.records.map((record) => [record.id, record]));
  for (const record of [...chosen.records].reverse()) {
    // What it was made from can't go before it.
    if (record.sizeBytes > spareBytes || record.parentIds.some((id) => records.has(id))) continue;
    records.delete(record.id);
    spareBytes -= record.sizeBytes;
  }
  return {
    records: [...records.values()],
    containers: chosen.containers.filter((each) => containers.has(each)),
    images: images.left,
  };
}

function dropImages(
  chosen: readonly ImageCandidate[],
  { forest, stayingIds, ...context }: DropContext,
): { readonly left: readonly ImageCandidate[]; readonly spareBytes: number } {
  let { spareBytes } = context;
  const staying = new Set<LayerNode>();
  const newlyStaying = (id: string): LayerNode[] => {
    const path: LayerNode[] = [];
    for (let node = forest.tops.get(id) ?? null; node !== null && !staying.has(node); node = node.parent) {
      path.push(node);
    }
    return path;
  };
  for (const id of stayingIds) for (const node of pathOf(forest.tops.get(id) ?? null)) staying.add(node);
  const byWorth = [...chosen].sort((a, b) => b.lossRate - a.lossRate || (a.image.id < b.image.id ? -1 : 1));
  const dropped = new Set<ImageCandidate>();
  // Once is enough: what fits after another was dropped would have fitted before.
  for (const candidate of byWorth) {
    const layers = newlyStaying(candidate.image.id);
    const bytes = layers.reduce((sum, node) => sum + node.bytes, 0);
    if (bytes > spareBytes) continue;
    for (const node of layers) staying.add(node);
    spareBytes -= bytes;
    dropped.add(candidate);
  }
  return { left: chosen.filter((each) => !dropped.has(each)), spareBytes };
}
