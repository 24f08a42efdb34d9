import { hasKeepLabel, type KeepLabel } from "./keep-label.js";
import { layerBases } from "./layer-bases.js";
import { type Inventory, type InventoryImage, isUsed } from "./inventory.js";

/** What may be deleted. */
export interface ImagePolicy {
  /** Younger images stay: built, tagged or arrived less than this ago. */
  readonly minAgeMs: number;
  readonly keepLabel: KeepLabel;
  /** Whether images may go that no registry is known to have. */
  readonly allowIrrecoverable: boolean;
  /** Whether a digest shows that a registry has the image; containerd gives digests to images built here too. */
  readonly digestsAreFromRegistries: boolean;
}

/** An image that may be deleted, with the moment that its age was counted from. */
export interface ImageCandidate {
  readonly key: string;
  readonly kind: "dangling image" | "image";
  readonly image: InventoryImage;
  readonly expectedBytes: number;
  readonly touchedAtMs: number;
  readonly reason: string;
}

/** An image that stays, and why. */
export interface ProtectedImage {
  readonly key: string;
  readonly image: InventoryImage;
  readonly reason: string;
}

/** What deleting images would come to, first to last. */
export interface ImagePlan {
  readonly candidates: readonly ImageCandidate[];
  readonly protectedImages: readonly ProtectedImage[];
}

/**
 * Decides which images may be deleted and in which order: dangling ones first, then tagged ones, the longest untouched
 * first; an image that others are built on comes after them, and stays when one of them stays.
 */
export function planImages(inventory: Inventory, policy: ImagePolicy, nowMs: number): ImagePlan {
  const images = new Map(inventory.images.map((image) => [image.id, image]));
  const bases = layerBases(inventory.images);
  const family: Family = {
    get: (id) => images.get(id),
    baseOf: ({ id, parentId }) => images.get(parentId) ?? images.get(bases.get(id) ?? ""),
  };
  const parentIds = new Set(inventory.images.map(({ parentId }) => parentId));
  const baseIds = new Set(inventory.images.flatMap((image) => family.baseOf(image)?.id ?? []));
  const isStep = (image: InventoryImage): boolean =>
    parentIds.has(image.id) && isNameless(image) && !isUsed(image, inventory.usedImages);
  const reasons = new Map<string, string>();
  for (const image of inventory.images) {
    const reason = reasonToKeep(image, inventory, policy, nowMs);
    if (reason !== null && !isStep(image)) reasons.set(image.id, reason);
  }
  for (const id of [...reasons.keys()]) {
    for (const ancestor of ancestors(id, family)) {
      if (!reasons.has(ancestor.id))
        reasons.set(ancestor.id, "an image that stays is built on it: it would free nothing");
    }
  }
  const descendants = latestDescendants(inventory, family);
  const candidates: { readonly candidate: ImageCandidate; readonly depth: number }[] = [];
  const protectedImages: ProtectedImage[] = [];
  for (const image of inventory.images) {
    // Steps of a build without a name of their own: the engine deletes them with what was built on them.
    if (isStep(image)) continue;
    const reason = reasons.get(image.id);
    const touchedAtMs = touchedAt(image);
    if (reason !== undefined) protectedImages.push({ key: image.id, image, reason });
    else if (reasons.has(family.baseOf(image)?.id ?? "") && expectedBytesOf(image, family) === 0)
      protectedImages.push({
        key: image.id,
        image,
        reason: "it would free nothing: all of it belongs to an image that stays",
      });
    else if (touchedAtMs === null)
      protectedImages.push({ key: image.id, image, reason: "its age is not known" });
    else {
      const effectiveMs = Math.max(touchedAtMs, descendants.get(image.id) ?? 0);
      const candidate = toCandidate(image, effectiveMs, family, policy, nowMs);
      candidates.push({ candidate, depth: [...ancestors(image.id, family)].length });
    }
  }
  // What others are built on can't come before them, tagged or not.
  const comesLate = ({ kind, key }: ImageCandidate): boolean => kind === "image" || baseIds.has(key);
  candidates.sort(
    ({ candidate: a, depth: aDepth }, { candidate: b, depth: bDepth }) =>
      Number(comesLate(a)) - Number(comesLate(b)) ||
      a.touchedAtMs - b.touchedAtMs ||
      bDepth - aDepth ||
      (a.key < b.key ? -1 : 1),
  );
  return { candidates: candidates.map(({ candidate }) => candidate), protectedImages };
}

/** Why an image must stay as far as itself is concerned; null when it may go. Shared with the check before deletion. */
export function reasonToKeep(
  image: InventoryImage,
  { usedImages }: Pick<Inventory, "usedImages">,
  policy: ImagePolicy,
  nowMs: number,
): string | null {
  if (isUsed(image, usedImages)) return "a container uses it";
  if (hasKeepLabel(image.labels, policy.keepLabel)) return "its label says to keep it";
  const touchedAtMs = touchedAt(image);
  if (touchedAtMs === null) return "its age is not known";
  if (nowMs - touchedAtMs < policy.minAgeMs) return "it is younger than the minimum age";
  if (!policy.allowIrrecoverable && !isRecoverable(image, policy)) {
    return policy.digestsAreFromRegistries
      ? "it has no registry digest: it couldn't be had again"
      : "containerd's image store doesn't say whether a registry has it";
  }
  return null;
}

/** The newest thing known to have happened to an image; null when nothing is known, or when it lies out of reason. */
function touchedAt({ createdAtMs, taggedAtMs, arrivedAtMs }: InventoryImage): number | null {
  const known = [createdAtMs, taggedAtMs, arrivedAtMs].filter((each) => each !== null);
  // The build's time alone doesn't say how long the image has been here.
  if (taggedAtMs === null && arrivedAtMs === null) return null;
  const latestMs = Math.max(...known);
  return Number.isSafeInteger(latestMs) && latestMs > 0 ? latestMs : null;
}

function isRecoverable({ digests }: InventoryImage, { digestsAreFromRegistries }: ImagePolicy): boolean {
  return digestsAreFromRegistries && digests.length > 0;
}

function isNameless({ tags, digests }: InventoryImage): boolean {
  return tags.length === 0 && digests.length === 0;
}

/** Who is built on whom: by the engine's word where it has one, else by layers. */
interface Family {
  readonly get: (id: string) => InventoryImage | undefined;
  readonly baseOf: (image: InventoryImage) => InventoryImage | undefined;
}

function* ancestors(id: string, family: Family): Generator<InventoryImage> {
  const seen = new Set([id]);
  const start = family.get(id);
  for (let image = start && family.baseOf(start); image !== undefined; image = family.baseOf(image)) {
    if (seen.has(image.id)) return;
    seen.add(image.id);
    yield image;
  }
}

/** For each image with images built on it, when the newest of those was touched. */
function latestDescendants({ images }: Inventory, family: Family): Map<string, number> {
  const latest = new Map<string, number>();
  for (const image of images) {
    const touchedAtMs = touchedAt(image) ?? 0;
    for (const { id } of ancestors(image.id, family)) {
      latest.set(id, Math.max(latest.get(id) ?? 0, touchedAtMs));
    }
  }
  return latest;
}

/** What goes with an image: what it was built on is counted in its size, and stays. */
function expectedBytesOf(image: InventoryImage, family: Family): number {
  return Math.max(0, image.sizeBytes - (family.baseOf(image)?.sizeBytes ?? 0));
}

function toCandidate(
  image: InventoryImage,
  touchedAtMs: number,
  family: Family,
  policy: ImagePolicy,
  nowMs: number,
): ImageCandidate {
  const { id, tags } = image;
  const kind = tags.length === 0 ? "dangling image" : "image";
  const days = Math.floor(Math.max(0, nowMs - touchedAtMs) / 86_400_000);
  const restore = isRecoverable(image, policy)
    ? `docker pull ${image.digests[0] ?? ""} brings it back`
    : "no registry is known to have it";
  const age = days === 0 ? "for less than a day" : `for ${days} d`;
  return {
    key: id,
    kind,
    image,
    expectedBytes: expectedBytesOf(image, family),
    touchedAtMs,
    reason: `${tags.length === 0 ? "untagged" : tags.join(", ")}: no container uses it, unchanged ${age}; ${restore}`,
  };
}
