import type { ImageUse, UseHistory } from "../journal/image-use.js";
import type { ImageCandidate } from "./choose-images.js";
import type { DockerInventory, InventoryContainer, InventoryImage } from "./docker-inventory.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { newestOfRepositories, supersededImages, toImagesByRepository } from "./image-repositories.js";
import { lossRate } from "./image-value.js";
import { isHeld, isRecoverable, type KeepReason, keepReasonOfImage, toHeldNames } from "./keep-reasons.js";
import { type LayerForest, type LayerNode, pathOf } from "./layer-forest.js";

/** What images are held against. */
export interface ImageRules {
  readonly uses: UseHistory;
  readonly policy: EvictionPolicy;
  readonly exclude: ReadonlySet<string>;
  readonly nowMs: number;
}

/** Images that may go and images that stay; steps of builds are neither. */
export interface SortedImages {
  readonly candidates: readonly ImageCandidate[];
  readonly kept: readonly { readonly image: InventoryImage; readonly why: KeepReason }[];
  /** Bytes that go when all candidates go. */
  readonly candidateBytes: number;
}

/** Why what was left out by the caller stays. */
export const EXCLUDED: KeepReason = {
  rule: "unknown",
  reason: "it came, or was tried already, while the eviction ran",
};

/**
 * Says of each image whether it may go, once all containers that may go are gone.
 *
 * Steps of builds that have no name of their own are left out: the engine deletes them with what was built on them.
 */
export function sortImages(
  inventory: DockerInventory,
  stayingContainers: readonly InventoryContainer[],
  forest: LayerForest,
  { uses, policy, exclude, nowMs }: ImageRules,
): SortedImages {
  const { digestsAreFromRegistries } = inventory;
  const images = withoutSteps(inventory);
  const byRepository = toImagesByRepository(images);
  const newest = newestOfRepositories(byRepository, policy.keepNewestPerRepository);
  const heldNames = toHeldNames(stayingContainers);
  const stranger = findStranger(inventory);
  const reasonFor = (image: InventoryImage, use: ImageUse | undefined): KeepReason | null => {
    if (exclude.has(image.id)) return EXCLUDED;
    const context = { heldNames, use, digestsAreFromRegistries };
    const own = keepReasonOfImage(image, context, policy, nowMs);
    if (own !== null) return own;
    if (stranger !== null) {
      return { rule: "unknown", reason: `nobody can tell which image container ${stranger.name} uses` };
    }
    const repository = newest.get(image.id);
    if (repository === undefined) return null;
    return {
      rule: "keepNewest",
      reason: `it is among the newest ${policy.keepNewestPerRepository} of ${repository}`,
    };
  };
  const why = new Map<string, KeepReason>();
  const kept = new Set<LayerNode>();
  for (const image of images) {
    const reason = reasonFor(image, uses.get(image.id));
    if (reason === null) continue;
    why.set(image.id, reason);
    for (const node of pathOf(forest.tops.get(image.id) ?? null)) {
      if (kept.has(node)) break;
      kept.add(node);
    }
  }
  const superseded = supersededImages(byRepository);
  const counted = new Set<LayerNode>();
  const candidates: ImageCandidate[] = [];
  let candidateBytes = 0;
  for (const image of images) {
    if (why.has(image.id)) continue;
    const free = pathOf(forest.tops.get(image.id) ?? null).filter((node) => !kept.has(node));
    if (!free.some(({ bytes, isUnclear }) => bytes > 0 || isUnclear)) {
      why.set(image.id, {
        rule: "neededByKept",
        reason: `it would free nothing: ${free.length === 0 ? "all of it belongs to images that stay" : "it has no bytes of its own"}`,
      });
      continue;
    }
    for (const node of free) {
      if (!counted.has(node)) candidateBytes += node.bytes;
      counted.add(node);
    }
    const isSuperseded = superseded.has(image.id);
    const isNameless = image.tags.length === 0 && (image.digests.length === 0 || isSuperseded);
    const use = uses.get(image.id);
    const context = {
      use,
      isSuperseded,
      isRecoverable: isRecoverable(image, digestsAreFromRegistries),
      nowMs,
    };
    candidates.push({ image, isNameless, lossRate: lossRate(image, context) });
  }
  return {
    candidates,
    candidateBytes,
    kept: images.flatMap((image) => {
      const reason = why.get(image.id);
      return reason === undefined ? [] : [{ image, why: reason }];
    }),
  };
}

/** The images by id, but for steps of builds that nothing names and no container uses. */
export function withoutSteps({ images, containers }: DockerInventory): readonly InventoryImage[] {
  const parentIds = new Set(images.map(({ parentId }) => parentId));
  const heldNames = toHeldNames(containers);
  return images
    .filter(
      (image) =>
        !parentIds.has(image.id) ||
        image.tags.length > 0 ||
        image.digests.length > 0 ||
        isHeld(image, heldNames),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A container that doesn't say which image it is made from, by a name that no image has: it could be any. */
function findStranger({ containers, images }: DockerInventory): InventoryContainer | null {
  return (
    containers.find((container) => {
      if (container.imageId !== "") return false;
      const names = toHeldNames([container]);
      return !images.some((image) => isHeld(image, names));
    }) ?? null
  );
}
