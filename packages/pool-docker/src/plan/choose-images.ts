import type { InventoryImage } from "./docker-inventory.js";
import { MinHeap } from "./min-heap.js";
import { PULL_OVERHEAD_BYTES } from "./image-value.js";
import { type LayerForest, type LayerNode, pathOf } from "./layer-forest.js";

/** An image that may go, with what losing it costs for each byte that would have to be fetched again. */
export interface ImageCandidate {
  readonly image: InventoryImage;
  readonly lossRate: number;
}

/** What is to be chosen from. */
export interface ImageChoice {
  readonly forest: LayerForest;
  readonly candidates: readonly ImageCandidate[];
  /** Images that stay, whose layers stay with them. */
  readonly keptIds: readonly string[];
  readonly wantBytes: number;
}

/** Bookkeeping of one layer while images are chosen. */
interface NodeState {
  /** Whether an image that stays holds it. */
  isKept: boolean;
  /** Candidates not chosen yet at or above it. */
  alive: number;
  /** Loss rates of those. */
  rates: number;
  /** Bytes that go when all of those go: its own and those above it. */
  treeBytes: number;
  /** What that would cost. */
  treeLoss: number;
  /** Changes with every change, so that older entries of the heap are known. */
  version: number;
}

interface HeapEntry {
  readonly node: LayerNode;
  readonly version: number;
  readonly score: number;
}

/**
 * Chooses images to delete, in order: by what losing them is expected to cost, per byte that their deletion frees. What
 * several images hold together is weighed together: deleting all of them may be worth it where deleting one frees
 * nothing. In the end everything is dropped again that isn't needed to free what is wanted.
 */
export function chooseImages({
  forest,
  candidates,
  keptIds,
  wantBytes,
}: ImageChoice): readonly ImageCandidate[] {
  const byTop = new Map<LayerNode, ImageCandidate[]>();
  for (const candidate of candidates) {
    const top = forest.tops.get(candidate.image.id);
    if (top === undefined) continue;
    const there = byTop.get(top);
    if (there === undefined) byTop.set(top, [candidate]);
    else there.push(candidate);
  }
  const states = toStates(forest, byTop, keptIds);
  const heap = new MinHeap<HeapEntry>((a, b) => a.score - b.score || compareNodes(a.node, b.node));
  const push = (node: LayerNode): void => {
    const state = stateOf(states, node);
    if (state.isKept || state.alive === 0 || state.treeBytes <= 0 || !isTopOfGroup(states, node)) return;
    heap.push({ node, version: state.version, score: state.treeLoss / state.treeBytes });
  };
  for (const node of forest.nodes) push(node);
  const depths = parentDepths(candidates);
  const chosen: ImageCandidate[] = [];
  let freedBytes = 0;
  while (freedBytes < wantBytes) {
    const best = heap.pop();
    if (best === undefined) break;
    const state = stateOf(states, best.node);
    if (state.version !== best.version || state.alive === 0) continue;
    // What was the top of a group may have become a part of one, which is in the heap for itself.
    if (!isTopOfGroup(states, best.node)) continue;
    const depthOf = ({ image }: ImageCandidate): number => depths.get(image.id) ?? 0;
    const ordered = aliveIn(best.node, byTop)
      // Children before what they were built on, then the least valuable.
      .sort(
        (a, b) =>
          b.depth - a.depth ||
          depthOf(b.each) - depthOf(a.each) ||
          a.each.lossRate - b.each.lossRate ||
          (a.each.image.id < b.each.image.id ? -1 : 1),
      )
      .map(({ each }) => each);
    freedBytes += state.treeBytes;
    chosen.push(...ordered);
    const touched = new Set<LayerNode>();
    for (const candidate of ordered) {
      const top = forest.tops.get(candidate.image.id);
      if (top === undefined) continue;
      byTop.set(
        top,
        (byTop.get(top) ?? []).filter((each) => each !== candidate),
      );
      takeOut(states, top, candidate.lossRate, touched);
    }
    for (const node of touched) push(node);
  }
  return dropUnneeded(chosen, forest, keptAndLeft(keptIds, candidates, chosen), freedBytes, wantBytes);
}

function toStates(
  { nodes, tops }: LayerForest,
  byTop: ReadonlyMap<LayerNode, readonly ImageCandidate[]>,
  keptIds: readonly string[],
): Map<LayerNode, NodeState> {
  const states = new Map<LayerNode, NodeState>();
  for (const node of nodes) {
    states.set(node, { isKept: false, alive: 0, rates: 0, treeBytes: 0, treeLoss: 0, version: 0 });
  }
  for (const id of keptIds) {
    for (const node of pathOf(tops.get(id) ?? null)) {
      const state = stateOf(states, node);
      // What lies below a kept layer is kept with it already.
      if (state.isKept) break;
      state.isKept = true;
    }
  }
  for (const [top, candidates] of byTop) {
    for (const { lossRate } of candidates) {
      for (const node of pathOf(top)) {
        const state = stateOf(states, node);
        state.alive++;
        state.rates += lossRate;
      }
    }
  }
  // Made after its parent: from the last to the first, children come before parents.
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (node === undefined) continue;
    const state = stateOf(states, node);
    if (state.isKept || state.alive === 0) continue;
    state.treeBytes += node.bytes;
    state.treeLoss += node.bytes * state.rates;
    for (const { lossRate } of byTop.get(node) ?? []) state.treeLoss += PULL_OVERHEAD_BYTES * lossRate;
    if (node.parent === null) continue;
    const below = stateOf(states, node.parent);
    below.treeBytes += state.treeBytes;
    below.treeLoss += state.treeLoss;
  }
  return states;
}

/** Takes one image out of the sums of all layers that it holds. */
function takeOut(
  states: ReadonlyMap<LayerNode, NodeState>,
  top: LayerNode,
  lossRate: number,
  touched: Set<LayerNode>,
): void {
  let loss = PULL_OVERHEAD_BYTES * lossRate;
  let bytes = 0;
  for (const node of pathOf(top)) {
    const state = stateOf(states, node);
    state.alive--;
    state.rates -= lossRate;
    state.version++;
    touched.add(node);
    if (state.isKept) continue;
    loss += node.bytes * lossRate;
    // Nobody is left who holds it: its bytes are free, and count nowhere any more.
    if (state.alive === 0) bytes += node.bytes;
    state.treeLoss = Math.max(0, state.treeLoss - loss);
    state.treeBytes -= bytes;
  }
}

/** Whether the layer below belongs to more images: this one stands for its group. */
function isTopOfGroup(states: ReadonlyMap<LayerNode, NodeState>, node: LayerNode): boolean {
  if (node.parent === null) return true;
  const below = stateOf(states, node.parent);
  return below.isKept || below.alive > stateOf(states, node).alive;
}

function aliveIn(
  root: LayerNode,
  byTop: ReadonlyMap<LayerNode, readonly ImageCandidate[]>,
): { readonly each: ImageCandidate; readonly depth: number }[] {
  const found: { readonly each: ImageCandidate; readonly depth: number }[] = [];
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const each of byTop.get(node) ?? []) found.push({ each, depth: node.depth });
    open.push(...node.children);
  }
  return found;
}

/** How many of an image's parents, as the engine knows them, may go as well: it lets go of children first. */
function parentDepths(candidates: readonly ImageCandidate[]): ReadonlyMap<string, number> {
  const byId = new Map(candidates.map(({ image }) => [image.id, image]));
  const depths = new Map<string, number>();
  for (const { image } of candidates) {
    const chain: string[] = [];
    let each: InventoryImage | undefined = image;
    while (each !== undefined && !depths.has(each.id) && !chain.includes(each.id)) {
      chain.push(each.id);
      each = byId.get(each.parentId);
    }
    let depth = each === undefined ? -1 : (depths.get(each.id) ?? -1);
    for (const id of chain.reverse()) depths.set(id, ++depth);
  }
  return depths;
}

/** Drops what isn't needed, the most valuable first, until nothing more can be dropped. */
function dropUnneeded(
  chosen: readonly ImageCandidate[],
  forest: LayerForest,
  staying: readonly string[],
  freedBytes: number,
  wantBytes: number,
): readonly ImageCandidate[] {
  const isStaying = new Set<LayerNode>();
  const stay = (id: string): number => {
    let bytes = 0;
    for (const node of pathOf(forest.tops.get(id) ?? null)) {
      if (isStaying.has(node)) break;
      isStaying.add(node);
      bytes += node.bytes;
    }
    return bytes;
  };
  const lostBy = (id: string): number => {
    let bytes = 0;
    for (const node of pathOf(forest.tops.get(id) ?? null)) {
      if (isStaying.has(node)) break;
      bytes += node.bytes;
    }
    return bytes;
  };
  for (const id of staying) stay(id);
  let spareBytes = freedBytes - wantBytes;
  const dropped = new Set<string>();
  const byWorth = [...chosen].sort((a, b) => b.lossRate - a.lossRate || (a.image.id < b.image.id ? -1 : 1));
  // Each that stays makes some layers stay: what frees nothing then goes in the next pass.
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (const { image } of byWorth) {
      if (dropped.has(image.id)) continue;
      const bytes = lostBy(image.id);
      if (bytes > spareBytes && bytes > 0) continue;
      spareBytes -= stay(image.id);
      dropped.add(image.id);
      isChanged = true;
    }
  }
  return chosen.filter(({ image }) => !dropped.has(image.id));
}

function keptAndLeft(
  keptIds: readonly string[],
  candidates: readonly ImageCandidate[],
  chosen: readonly ImageCandidate[],
): readonly string[] {
  const gone = new Set(chosen);
  return [...keptIds, ...candidates.filter((each) => !gone.has(each)).map(({ image }) => image.id)];
}

function compareNodes(a: LayerNode, b: LayerNode): number {
  return b.depth - a.depth || ((a.images[0] ?? "") < (b.images[0] ?? "") ? -1 : 1);
}

function stateOf(states: ReadonlyMap<LayerNode, NodeState>, node: LayerNode): NodeState {
  const state = states.get(node);
  if (state === undefined) throw new Error("a layer that isn't of this forest");
  return state;
}
