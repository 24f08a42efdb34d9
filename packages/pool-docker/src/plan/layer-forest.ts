import type { InventoryImage } from "./docker-inventory.js";

/** One layer at its place: what lies below it is the same for every image that holds it. */
export interface LayerNode {
  readonly parent: LayerNode | null;
  readonly depth: number;
  bytes: number;
  /** Images whose topmost layer this is. */
  readonly images: string[];
  readonly children: LayerNode[];
}

/** The layers of all images, those that they share once, with the topmost one of each image. */
export interface LayerForest {
  readonly nodes: readonly LayerNode[];
  /** By image id. */
  readonly tops: ReadonlyMap<string, LayerNode>;
}

/**
 * Puts images together by the layers that they share from the base up.
 *
 * Where an image's history doesn't tell its layers apart, they have the bytes that other images know of them; the rest
 * of its size lies on the lowest layer that nobody knows, the one that most images share: no image alone is promised
 * more than goes with it, and all of them together come to what they hold.
 */
export function toLayerForest(images: readonly InventoryImage[]): LayerForest {
  const nodes: LayerNode[] = [];
  const index = new Map<LayerNode | null, Map<string, LayerNode>>();
  const tops = new Map<string, LayerNode>();
  const known = new Set<LayerNode>();
  const byId = new Map(images.map((image) => [image.id, image]));
  const step = (parent: LayerNode | null, layer: string): LayerNode => {
    let below = index.get(parent);
    if (below === undefined) index.set(parent, (below = new Map<string, LayerNode>()));
    let node = below.get(layer);
    if (node === undefined) {
      node = { parent, depth: (parent?.depth ?? 0) + 1, bytes: 0, images: [], children: [] };
      below.set(layer, node);
      parent?.children.push(node);
      nodes.push(node);
    }
    return node;
  };
  const unclear: InventoryImage[] = [];
  for (const image of images) {
    const chain = chainOf(image, byId);
    const layerBytes = image.layerBytes?.length === chain.length ? image.layerBytes : null;
    if (layerBytes === null) unclear.push(image);
    let node: LayerNode | null = null;
    chain.forEach((layer, i) => {
      node = step(node, layer);
      const bytes = layerBytes?.[i];
      if (bytes !== undefined && !known.has(node)) {
        node.bytes = bytes;
        known.add(node);
      }
    });
    if (node !== null) {
      (node as LayerNode).images.push(image.id);
      tops.set(image.id, node);
    }
  }
  // The smallest first: what it is built on is then known to those that are built on it.
  for (const image of unclear.sort((a, b) => a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : 1))) {
    const path = pathOf(tops.get(image.id) ?? null);
    const rest = image.sizeBytes - path.reduce((sum, node) => sum + node.bytes, 0);
    const lowest = path.findLast((node) => !known.has(node));
    for (const node of path) known.add(node);
    if (lowest !== undefined && rest > 0) lowest.bytes = rest;
  }
  return { nodes, tops };
}

/** From a layer down to the base. */
export function pathOf(top: LayerNode | null): LayerNode[] {
  const path: LayerNode[] = [];
  for (let node = top; node !== null; node = node.parent) path.push(node);
  return path;
}

/** An image's layers; one that doesn't tell them has one of its own, above those of the image that it was built on. */
function chainOf(image: InventoryImage, byId: ReadonlyMap<string, InventoryImage>): readonly string[] {
  if (image.layers.length > 0) return image.layers;
  const own: string[] = [];
  const seen = new Set<string>();
  let each: InventoryImage | undefined = image;
  while (each !== undefined && !seen.has(each.id)) {
    seen.add(each.id);
    if (each.layers.length > 0) return [...each.layers, ...own.reverse()];
    own.push(`image ${each.id}`);
    each = byId.get(each.parentId);
  }
  return own.reverse();
}
