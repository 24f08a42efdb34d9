import type { InventoryImage } from "./docker-inventory.js";
import { PULL_OVERHEAD_BYTES } from "./image-value.js";
import { type LayerForest, type LayerNode, pathOf } from "./layer-forest.js";
import { MinHeap } from "./min-heap.js";

/** An image that may go, with what losing it costs for each byte that would have to be fetched again. */
export interface ImageCandidate {
  readonly image: InventoryImage;
  readonly lossRate: number;
  /** Nobody has a name for it: it goes before any that somebody has a name for. */
  readonly isNameless: boolean;
}

/** What is to be chosen from. */
export interface ImageChoice {
  readonly forest: LayerForest;
  readonly candidates: readonly ImageCandidate[];
  /** Images that stay, whose layers stay with them. */
  readonly keptIds: readonly string[];
  readonly wantBytes: number;
}

/** What some candidates come to, and what they free. */
export interface ChosenImages {
  /** In the order in which they are to go: children before what they were built on. */
  readonly chosen: readonly ImageCandidate[];
  readonly freedBytes: number;
}

/** Bookkeeping of one layer while images are chosen. */
interface NodeState {
  /** Whether an image that stays holds it. */
  isKept: boolean;
  /** Candidates whose topmost layer it is, not chosen yet. */
  own: ImageCandidate[];
  /** Candidates not chosen yet at or above it. */
  alive: number;
  /** Those of them that somebody has a name for. */
  named: number;
  /** Loss rates of those at or above it. */
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
  readonly hasNames: boolean;
  readonly score: number;
}

/**
 * Chooses images to delete, in order: by what losing them is expected to cost, per byte that their deletion frees. What
 * several images hold together is weighed together: deleting all of them may be worth it where deleting one frees
 * nothing. Where all that is known to free something doesn't suffice, those follow of which nobody knows. May choose
 * more than is needed: `dropUnneeded` knows.
 */
export function chooseImages({ forest, candidates, keptIds, wantBytes }: ImageChoice): ChosenImages {
  const states = toStates(forest, candidates, keptIds);
  const heap = new MinHeap<HeapEntry>(compareEntries);
  const push = (node: LayerNode): void => {
    const { isKept, alive, named, treeBytes, treeLoss, version } = stateOf(states, node);
    if (isKept || alive === 0 || treeBytes <= 0 || !isTopOfGroup(states, node)) return;
    heap.push({ node, version, hasNames: named > 0, score: treeLoss / treeBytes });
  };
  for (const node of forest.nodes) push(node);
  const depths = parentDepths(candidates);
  const chosen: ImageCandidate[] = [];
  let freedBytes = 0;
  while (freedBytes < wantBytes) {
    const best = heap.pop();
    if (best === undefined) break;
    const state = stateOf(states, best.node);
    // What was the top of a group may have become a part of one, which is in the heap for itself.
    if (state.version !== best.version || state.alive === 0 || !isTopOfGroup(states, best.node)) continue;
    freedBytes += state.treeBytes;
    const going = aliveIn(states, best.node).sort(childrenFirst(forest, depths));
    chosen.push(...going);
    const touched = new Set<LayerNode>();
    for (const candidate of going) takeOut(states, forest, candidate, touched);
    for (const node of touched) push(node);
  }
  if (freedBytes < wantBytes) {
    const gone = new Set(chosen);
    const left = candidates.filter((each) => !gone.has(each));
    chosen.push(...left.sort(childrenFirst(forest, depths)));
  }
  return { chosen, freedBytes };
}

function toStates(
  { nodes, tops }: LayerForest,
  candidates: readonly ImageCandidate[],
  keptIds: readonly string[],
): readonly NodeState[] {
  const states = nodes.map((): NodeState => {
    return { isKept: false, own: [], alive: 0, named: 0, rates: 0, treeBytes: 0, treeLoss: 0, version: 0 };
  });
  for (const id of keptIds) {
    for (const node of pathOf(tops.get(id) ?? null)) {
      const state = stateOf(states, node);
      // What lies below a kept layer is kept with it already.
      if (state.isKept) break;
      state.isKept = true;
    }
  }
  for (const candidate of candidates) {
    const top = tops.get(candidate.image.id);
    if (top !== undefined) stateOf(states, top).own.push(candidate);
  }
  // What lies above has the greater index: from the last to the first, it is done already.
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (node === undefined) continue;
    const state = stateOf(states, node);
    for (const { lossRate, isNameless } of state.own) {
      state.alive++;
      state.named += isNameless ? 0 : 1;
      state.rates += lossRate;
      state.treeLoss += PULL_OVERHEAD_BYTES * lossRate;
    }
    if (!state.isKept && state.alive > 0) {
      state.treeBytes += node.bytes;
      state.treeLoss += node.bytes * state.rates;
    }
    if (node.parent === null) continue;
    const below = stateOf(states, node.parent);
    below.alive += state.alive;
    below.named += state.named;
    below.rates += state.rates;
    below.treeBytes += state.treeBytes;
    below.treeLoss += state.treeLoss;
  }
  return states;
}

/** Takes one image out of the sums of all layers that it holds. */
function takeOut(
  states: readonly NodeState[],
  { tops }: LayerForest,
  candidate: ImageCandidate,
  touched: Set<LayerNode>,
): void {
  const { image, lossRate, isNameless } = candidate;
  let loss = PULL_OVERHEAD_BYTES * lossRate;
  let bytes = 0;
  const top = tops.get(image.id);
  if (top === undefined) return;
  const { own } = stateOf(states, top);
  own.splice(own.indexOf(candidate), 1);
  for (const node of pathOf(top)) {
    const state = stateOf(states, node);
    state.alive--;
    state.named -= isNameless ? 0 : 1;
    state.rates = Math.max(0, state.rates - lossRate);
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
function isTopOfGroup(states: readonly NodeState[], node: LayerNode): boolean {
  if (node.parent === null) return true;
  const below = stateOf(states, node.parent);
  return below.isKept || below.alive > stateOf(states, node).alive;
}

function aliveIn(states: readonly NodeState[], root: LayerNode): ImageCandidate[] {
  const found: ImageCandidate[] = [];
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { own, alive } = stateOf(states, node);
    if (alive === 0) continue;
    found.push(...own);
    open.push(...node.children);
  }
  return found;
}

/** Children before what they were built on, then the least valuable. */
function childrenFirst(
  { tops }: LayerForest,
  parentDepth: ReadonlyMap<string, number>,
): (a: ImageCandidate, b: ImageCandidate) => number {
  const depthOf = ({ image }: ImageCandidate): number => tops.get(image.id)?.depth ?? 0;
  const builtOn = ({ image }: ImageCandidate): number => parentDepth.get(image.id) ?? 0;
  return (a, b) =>
    depthOf(b) - depthOf(a) ||
    builtOn(b) - builtOn(a) ||
    a.lossRate - b.lossRate ||
    (a.image.id < b.image.id ? -1 : 1);
}

/** How many of an image's parents, as the engine knows them, may go as well: it lets go of children first. */
function parentDepths(candidates: readonly ImageCandidate[]): ReadonlyMap<string, number> {
  const byId = new Map(candidates.map(({ image }) => [image.id, image]));
  const depths = new Map<string, number>();
  for (const { image } of candidates) {
    const chain = new Set<string>();
    let each: InventoryImage | undefined = image;
    while (each !== undefined && !depths.has(each.id) && !chain.has(each.id)) {
      chain.add(each.id);
      each = byId.get(each.parentId);
    }
    let depth = each === undefined ? -1 : (depths.get(each.id) ?? -1);
    for (const id of [...chain].reverse()) depths.set(id, ++depth);
  }
  return depths;
}

function compareEntries(a: HeapEntry, b: HeapEntry): number {
  return (
    Number(a.hasNames) - Number(b.hasNames) ||
    a.score - b.score ||
    b.node.depth - a.node.depth ||
    a.node.index - b.node.index
  );
}

function stateOf(states: readonly NodeState[], { index }: LayerNode): NodeState {
  const state = states[index];
  if (state === undefined) throw new Error("a layer that isn't of this forest");
  return state;
}
