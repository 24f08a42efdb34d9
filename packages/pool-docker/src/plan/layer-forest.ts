import type { InventoryImage } from "./docker-inventory.js";

/** One layer at its place: what lies below it is the same for every image that holds it. */
export interface LayerNode {
  /** Its place in `LayerForest.nodes`: greater than that of what lies below it. */
  readonly index: number;
  readonly parent: LayerNode | null;
  readonly depth: number;
  bytes: number;
  /** Its bytes are a bound only: nobody tells it apart from a layer next to it. */
  isUnclear: boolean;
  readonly children: LayerNode[];
}

/** The layers of all images, those that they share once, with the topmost one of each image. */
export interface LayerForest {
  readonly nodes: readonly LayerNode[];
  /** By image id. */
  readonly tops: ReadonlyMap<string, LayerNode>;
}

/**
 * Puts images together by the layers that they share from the base up; the same for the same images in any order.
 *
 * Where an image's history doesn't tell its layers apart, they have the bytes that other images know of them; the rest
 * of its size lies on the lowest layer that nobody knows, the one that most images share: no set of images is promised
 * more than goes with it.
 */
export function toLayerForest(given: readonly InventoryImage[]): LayerForest {
  const images = [...given].sort((a, b) => (a.id < b.id ? -1 : 1));
  const byId = new Map(images.map((image) => [image.id, image]));
  const nodes: LayerNode[] = [];
  const index = new Map<LayerNode | null, Map<string, LayerNode>>();
  const tops = new Map<string, LayerNode>();
  const known = new Set<LayerNode>();
  const step = (parent: LayerNode | null, layer: string): LayerNode => {
    let above = index.get(parent);
    if (above === undefined) index.set(parent, (above = new Map<string, LayerNode>()));
    let node = above.get(layer);
    if (node === undefined) {
      const depth = (parent?.depth ?? 0) + 1;
      node = { index: nodes.length, parent, depth, bytes: 0, isUnclear: false, children: [] };
      above.set(layer, node);
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
    let top: LayerNode | null = null;
    for (const [i, layer] of chain.entries()) {
      const node = step(top, layer);
      const bytes = layerBytes?.[i];
      // Two that disagree: the lesser promise.
      if (bytes !== undefined) node.bytes = known.has(node) ? Math.min(node.bytes, bytes) : bytes;
      if (bytes !== undefined) known.add(node);
      top = node;
    }
    if (top !== null) tops.set(image.id, top);
  }
  // The smallest first: what it is built on is then known to those that are built on it.
  for (const image of unclear.sort((a, b) => a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : 1))) {
    const path = pathOf(tops.get(image.id) ?? null);
    const unknown = path.filter((node) => !known.has(node));
    const rest = image.sizeBytes - path.reduce((sum, node) => sum + node.bytes, 0);
    for (const node of unknown) {
      known.add(node);
      node.isUnclear = unknown.length > 1;
    }
    const lowest = unknown.at(-1);
    if (lowest !== undefined) lowest.bytes = Math.max(0, rest);
  }
  return { nodes, tops };
}

/** From a layer down to the base. */
export function pathOf(top: LayerNode | null): LayerNode[] {
  const path: LayerNode[] = [];
  for (let node = top; node !== null; node = node.parent) path.push(node);
  return path;
}

/** What each of some images frees when those before it are gone, out of all that hold layers. */
export function toFreedBytes(
  { tops, nodes }: LayerForest,
  holding: readonly string[],
  going: readonly string[],
): readonly number[] {
  const owners = new Uint32Array(nodes.length);
  const ownersOf = (node: LayerNode): number => owners[node.index] ?? 0;
  for (const id of holding)
    for (const node of pathOf(tops.get(id) ?? null)) owners[node.index] = ownersOf(node) + 1;
  return going.map((id) => {
    let bytes = 0;
    for (const node of pathOf(tops.get(id) ?? null)) {
      owners[node.index] = ownersOf(node) - 1;
      if (ownersOf(node) === 0) bytes += node.bytes;
    }
    return bytes;
  });
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
