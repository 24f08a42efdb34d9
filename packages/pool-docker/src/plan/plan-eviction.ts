import type { UseHistory } from "../journal/image-use.js";
import { chooseImages, type ImageCandidate } from "./choose-images.js";
import type { DockerInventory, InventoryContainer, InventoryImage } from "./docker-inventory.js";
import type { EvictionPlan, PlanEntry, ProtectedEntry } from "./eviction-plan.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { lossRate } from "./image-value.js";
import {
  isHeld,
  isRecoverable,
  type KeepReason,
  keepReasonOfContainer,
  keepReasonOfImage,
  toHeldNames,
  touchedAt,
} from "./keep-reasons.js";
import { type LayerForest, type LayerNode, pathOf, toLayerForest } from "./layer-forest.js";
import { planBuildCache } from "./plan-build-cache.js";
import { repositoryOf } from "./reference-pattern.js";

/** What is asked of a plan. */
export interface PlanRequest {
  /** `Number.MAX_SAFE_INTEGER` for all that may go. */
  readonly wantBytes: number;
  readonly nowMs: number;
  /** Ids that are left alone, whatever the policy. */
  readonly exclude?: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();
const EXCLUDED: KeepReason = {
  rule: "unknown",
  reason: "it came, or was tried already, while the eviction ran",
};

/**
 * Decides what an eviction deletes, in which order, and what stays and why; the same for the same input, in whatever
 * order it comes.
 *
 * Build cache first, then under `aggressive` stopped containers, then images by what losing them is expected to cost for
 * each byte that it frees. No more than is needed.
 */
export function planEviction(
  inventory: DockerInventory,
  uses: UseHistory,
  policy: EvictionPolicy,
  { wantBytes, nowMs, exclude = NOTHING }: PlanRequest,
): EvictionPlan {
  const cache = planBuildCache(inventory.buildCache ?? [], policy, exclude, wantBytes, nowMs);
  let stillBytes = wantBytes - sum(cache.chosen.map(({ sizeBytes }) => sizeBytes));

  const containers = splitContainers(inventory.containers, policy, exclude, nowMs);
  // The longest ended first; what wrote nothing frees nothing by itself.
  const ending = containers.free.filter(({ writableBytes }) => (writableBytes ?? 0) > 0);
  const going: InventoryContainer[] = [];
  for (const container of ending) {
    if (stillBytes <= 0) break;
    going.push(container);
    stillBytes -= container.writableBytes ?? 0;
  }
  const forest = toLayerForest(inventory.images);
  const world: ImageWorld = { inventory, uses, policy, exclude, nowMs, forest };
  let images = planImages(world, without(inventory.containers, going), stillBytes);
  if (images.freedBytes < stillBytes && going.length < containers.free.length) {
    // Not enough: containers that wrote nothing may hold images that can go after them.
    const all = planImages(world, without(inventory.containers, containers.free), stillBytes);
    const held = (container: InventoryContainer): boolean => {
      const names = toHeldNames([container]);
      return all.chosen.some(({ image }) => isHeld(image, names));
    };
    const more = containers.free.filter((each) => !going.includes(each) && held(each));
    going.push(...more);
    images = planImages(world, without(inventory.containers, going), stillBytes);
  }

  const entries: PlanEntry[] = [];
  const add = (entry: DistributiveOmit<PlanEntry, "position">): void => {
    entries.push({ ...entry, position: entries.length });
  };
  for (const record of cache.chosen) {
    add({
      kind: "buildCache",
      id: record.id,
      name: record.description === "" ? record.id : record.description,
      rule: "unusedBuildCache",
      reason: `no build uses it, ${sayAge(nowMs, record.lastUsedAtMs ?? record.createdAtMs)}; the next build makes it again`,
      expectedBytes: record.sizeBytes,
      lastUsedAtMs: record.lastUsedAtMs,
      restoreReference: null,
      record,
    });
  }
  for (const container of going) {
    add({
      kind: "container",
      id: container.id,
      name: container.name,
      rule: "stoppedContainer",
      reason: `it is ${container.state}, ${sayAge(nowMs, container.finishedAtMs ?? container.createdAtMs)}; what it wrote is lost, its volumes stay`,
      expectedBytes: container.writableBytes ?? 0,
      lastUsedAtMs: container.finishedAtMs,
      restoreReference: null,
      container,
    });
  }
  const freed = toFreedBytes(forest, inventory.images, images.chosen);
  images.chosen.forEach(({ image }, i) => {
    add({ ...toImageEntry(image, world), expectedBytes: freed[i] ?? 0 });
  });
  const protectedEntries: ProtectedEntry[] = [
    ...cache.kept.map(({ record, why }) => ({
      kind: "buildCache" as const,
      id: record.id,
      name: record.description === "" ? record.id : record.description,
      sizeBytes: record.sizeBytes,
      ...why,
    })),
    ...containers.kept.map(({ container, why }) => ({
      kind: "container" as const,
      id: container.id,
      name: container.name,
      sizeBytes: container.writableBytes,
      ...why,
    })),
    ...images.kept.map(({ image, why }) => ({
      kind: "image" as const,
      id: image.id,
      name: nameOf(image),
      sizeBytes: image.sizeBytes,
      ...why,
    })),
  ];
  const spareContainers = containers.free.filter((each) => !going.includes(each));
  return {
    wantBytes,
    entries,
    expectedBytes: sum(entries.map(({ expectedBytes }) => expectedBytes)),
    spareBytes:
      cache.spareBytes +
      sum(spareContainers.map(({ writableBytes }) => writableBytes ?? 0)) +
      images.spareBytes,
    protectedEntries: protectedEntries.sort(
      (a, b) => (b.sizeBytes ?? -1) - (a.sizeBytes ?? -1) || (a.id < b.id ? -1 : 1),
    ),
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface ImageWorld {
  readonly inventory: DockerInventory;
  readonly uses: UseHistory;
  readonly policy: EvictionPolicy;
  readonly exclude: ReadonlySet<string>;
  readonly nowMs: number;
  readonly forest: LayerForest;
}

interface ImageResult {
  readonly chosen: readonly ImageCandidate[];
  readonly freedBytes: number;
  readonly spareBytes: number;
  readonly kept: readonly { readonly image: InventoryImage; readonly why: KeepReason }[];
}

function planImages(
  world: ImageWorld,
  containers: readonly InventoryContainer[],
  wantBytes: number,
): ImageResult {
  const { inventory, uses, policy, exclude, nowMs, forest } = world;
  const { digestsAreFromRegistries } = inventory;
  const heldNames = toHeldNames(containers);
  const parentIds = new Set(inventory.images.map(({ parentId }) => parentId));
  // Steps of a build without a name of their own: the engine deletes them with what was built on them.
  const isStep = (image: InventoryImage): boolean =>
    parentIds.has(image.id) &&
    image.tags.length === 0 &&
    image.digests.length === 0 &&
    !isHeld(image, heldNames);
  const images = inventory.images.filter((image) => !isStep(image));
  const newest = newestOfRepositories(images, policy.keepNewestPerRepository);
  const why = new Map<string, KeepReason>();
  for (const image of images) {
    const context = { heldNames, use: uses.get(image.id), digestsAreFromRegistries };
    const reason = exclude.has(image.id)
      ? EXCLUDED
      : (keepReasonOfImage(image, context, policy, nowMs) ?? newest.get(image.id) ?? null);
    if (reason !== null) why.set(image.id, reason);
  }
  const kept = new Set<LayerNode>();
  for (const id of why.keys()) for (const node of pathOf(forest.tops.get(id) ?? null)) kept.add(node);
  const superseded = supersededImages(images);
  const candidates: ImageCandidate[] = [];
  let spareBytes = 0;
  const counted = new Set<LayerNode>();
  for (const image of [...images].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if (why.has(image.id)) continue;
    const free = pathOf(forest.tops.get(image.id) ?? null).filter((node) => !kept.has(node));
    if (sum(free.map(({ bytes }) => bytes)) === 0) {
      const reason = "it would free nothing: all of it belongs to an image that stays";
      why.set(image.id, { rule: "neededByKept", reason });
      continue;
    }
    for (const node of free) {
      if (!counted.has(node)) spareBytes += node.bytes;
      counted.add(node);
    }
    const context = {
      use: uses.get(image.id),
      isSuperseded: superseded.has(image.id),
      isRecoverable: isRecoverable(image, digestsAreFromRegistries),
      nowMs,
    };
    candidates.push({ image, lossRate: lossRate(image, context) });
  }
  const keptIds = [...why.keys()];
  const chosen = wantBytes <= 0 ? [] : chooseImages({ forest, candidates, keptIds, wantBytes });
  const freedBytes = sum(
    toFreedBytes(
      forest,
      inventory.images.filter((image) => !isStep(image)),
      chosen,
    ),
  );
  return {
    chosen,
    freedBytes,
    spareBytes: spareBytes - freedBytes,
    kept: images.flatMap((image) => {
      const reason = why.get(image.id);
      return reason === undefined ? [] : [{ image, why: reason }];
    }),
  };
}

/** What each of some images frees when those before it are gone; steps of builds go with what was built on them. */
function toFreedBytes(
  { tops }: LayerForest,
  images: readonly InventoryImage[],
  chosen: readonly ImageCandidate[],
): readonly number[] {
  const parentIds = new Set(images.map(({ parentId }) => parentId));
  const going = new Set(chosen.map(({ image }) => image.id));
  const owners = new Map<LayerNode, number>();
  for (const { id, tags, digests } of images) {
    const isStep = parentIds.has(id) && tags.length === 0 && digests.length === 0 && !going.has(id);
    if (isStep) continue;
    for (const node of pathOf(tops.get(id) ?? null)) owners.set(node, (owners.get(node) ?? 0) + 1);
  }
  return chosen.map(({ image }) => {
    let bytes = 0;
    for (const node of pathOf(tops.get(image.id) ?? null)) {
      const left = (owners.get(node) ?? 0) - 1;
      owners.set(node, left);
      if (left === 0) bytes += node.bytes;
    }
    return bytes;
  });
}

function toImageEntry(
  image: InventoryImage,
  { inventory, uses, nowMs }: ImageWorld,
): Omit<Extract<PlanEntry, { kind: "image" }>, "position" | "expectedBytes"> {
  const isBack = isRecoverable(image, inventory.digestsAreFromRegistries);
  const restoreReference = isBack ? (image.digests[0] ?? null) : null;
  const lastUsedAtMs = uses.get(image.id)?.lastUsedAtMs ?? null;
  const idle =
    lastUsedAtMs === null
      ? `never seen in use, here ${sayFor(nowMs, touchedAt(image))}`
      : `last used ${sayFor(nowMs, lastUsedAtMs)} ago`;
  const restore =
    restoreReference === null
      ? "no registry is known to have it"
      : `docker pull ${restoreReference} brings it back`;
  const isDangling = image.tags.length === 0;
  return {
    kind: "image",
    id: image.id,
    name: nameOf(image),
    rule: isDangling ? "danglingImage" : "unusedImage",
    reason: `${isDangling ? "untagged, " : ""}no container uses it, ${idle}; ${restore}`,
    lastUsedAtMs,
    restoreReference,
    image,
  };
}

function splitContainers(
  containers: readonly InventoryContainer[],
  policy: EvictionPolicy,
  exclude: ReadonlySet<string>,
  nowMs: number,
): {
  readonly free: readonly InventoryContainer[];
  readonly kept: readonly { readonly container: InventoryContainer; readonly why: KeepReason }[];
} {
  const free: InventoryContainer[] = [];
  const kept: { readonly container: InventoryContainer; readonly why: KeepReason }[] = [];
  for (const container of containers) {
    const why = exclude.has(container.id) ? EXCLUDED : keepReasonOfContainer(container, policy, nowMs);
    if (why === null) free.push(container);
    else kept.push({ container, why });
  }
  const endedAtMs = ({ finishedAtMs, createdAtMs }: InventoryContainer): number =>
    finishedAtMs ?? createdAtMs ?? 0;
  free.sort((a, b) => endedAtMs(a) - endedAtMs(b) || (a.id < b.id ? -1 : 1));
  return { free, kept };
}

/** The newest images of each repository, by build time; one of an unknown time counts as new. */
function newestOfRepositories(
  images: readonly InventoryImage[],
  count: number,
): ReadonlyMap<string, KeepReason> {
  const newest = new Map<string, KeepReason>();
  if (count <= 0) return newest;
  for (const [repository, members] of byRepository(images)) {
    for (const { id } of members.slice(0, count)) {
      newest.set(id, { rule: "keepNewest", reason: `it is among the newest ${count} of ${repository}` });
    }
  }
  return newest;
}

/** Images of which each repository that has them has a newer one. */
function supersededImages(images: readonly InventoryImage[]): ReadonlySet<string> {
  const latest = new Set<string>();
  const named = new Set<string>();
  for (const members of byRepository(images).values()) {
    members.forEach(({ id }, i) => (i === 0 ? latest : named).add(id));
  }
  return new Set([...named].filter((id) => !latest.has(id)));
}

/** Images by the repositories of their names, the newest first. */
function byRepository(images: readonly InventoryImage[]): ReadonlyMap<string, readonly InventoryImage[]> {
  const members = new Map<string, InventoryImage[]>();
  for (const image of images) {
    for (const repository of new Set([...image.tags, ...image.digests].map(repositoryOf))) {
      const there = members.get(repository);
      if (there === undefined) members.set(repository, [image]);
      else there.push(image);
    }
  }
  const builtAtMs = ({ createdAtMs }: InventoryImage): number => createdAtMs ?? Number.MAX_SAFE_INTEGER;
  for (const there of members.values()) {
    there.sort((a, b) => builtAtMs(b) - builtAtMs(a) || (a.id < b.id ? -1 : 1));
  }
  return members;
}

function without(
  containers: readonly InventoryContainer[],
  going: readonly InventoryContainer[],
): readonly InventoryContainer[] {
  const gone = new Set(going);
  return containers.filter((each) => !gone.has(each));
}

function nameOf({ id, tags, digests }: InventoryImage): string {
  return tags.length > 0 ? tags.join(", ") : (digests[0] ?? id);
}

function sayAge(nowMs: number, atMs: number | null): string {
  return atMs === null ? "of unknown age" : `last used ${sayFor(nowMs, atMs)} ago`;
}

function sayFor(nowMs: number, atMs: number | null): string {
  if (atMs === null) return "for an unknown time";
  const minutes = Math.floor(Math.max(0, nowMs - atMs) / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} d`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
