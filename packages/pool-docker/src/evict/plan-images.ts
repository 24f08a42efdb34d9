import { hasKeepLabel, type KeepLabel } from "./keep-label.js";
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
  const byId = new Map(inventory.images.map((image) => [image.id, image]));
  const parentIds = new Set(inventory.images.map(({ parentId }) => parentId));
  const isStep = (image: InventoryImage): boolean =>
    parentIds.has(image.id) && isNameless(image) && !isUsed(image, inventory.usedImages);
  const reasons = new Map<string, string>();
  for (const image of inventory.images) {
    const reason = reasonToKeep(image, inventory, policy, nowMs);
    if (reason !== null && !isStep(image)) reasons.set(image.id, reason);
  }
  for (const id of [...reasons.keys()]) {
    for (const ancestor of ancestors(id, byId)) {
      if (!reasons.has(ancestor.id)) reasons.set(ancestor.id, "an image that stays is built on it");
    }
  }
  const descendants = latestDescendants(inventory, byId);
  const candidates: { readonly candidate: ImageCandidate; readonly depth: number }[] = [];
  const protectedImages: ProtectedImage[] = [];
  for (const image of inventory.images) {
    // Steps of a build without a name of their own: the engine deletes them with what was built on them.
    if (isStep(image)) continue;
    const reason = reasons.get(image.id);
    const touchedAtMs = touchedAt(image);
    if (reason !== undefined) protectedImages.push({ key: image.id, image, reason });
    else if (touchedAtMs === null)
      protectedImages.push({ key: image.id, image, reason: "its age is not known" });
    else {
      const effectiveMs = Math.max(touchedAtMs, descendants.get(image.id) ?? 0);
      const candidate = toCandidate(image, effectiveMs, byId, policy, nowMs);
      candidates.push({ candidate, depth: [...ancestors(image.id, byId)].length });
    }
  }
  // What others are built on can't come before them, tagged or not.
  const comesLate = ({ kind, key }: ImageCandidate): boolean => kind === "image" || parentIds.has(key);
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

function* ancestors(id: string, byId: ReadonlyMap<string, InventoryImage>): Generator<InventoryImage> {
  const seen = new Set([id]);
  for (let image = byId.get(byId.get(id)?.parentId ?? ""); image !== undefined;) {
    if (seen.has(image.id)) return;
    seen.add(image.id);
    yield image;
    image = byId.get(image.parentId);
  }
}

/** For each image with images built on it, when the newest of those was touched. */
function latestDescendants(
  { images }: Inventory,
  byId: ReadonlyMap<string, InventoryImage>,
): Map<string, number> {
  const latest = new Map<string, number>();
  for (const image of images) {
    const touchedAtMs = touchedAt(image) ?? 0;
    for (const { id } of ancestors(image.id, byId)) {
      latest.set(id, Math.max(latest.get(id) ?? 0, touchedAtMs));
    }
  }
  return latest;
}

function toCandidate(
  image: InventoryImage,
  touchedAtMs: number,
  byId: ReadonlyMap<string, InventoryImage>,
  policy: ImagePolicy,
  nowMs: number,
): ImageCandidate {
  const { id, tags, sizeBytes, parentId } = image;
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
    // What it was built on is counted in its size, and stays.
    expectedBytes: Math.max(0, sizeBytes - (byId.get(parentId)?.sizeBytes ?? 0)),
    touchedAtMs,
    reason: `${tags.length === 0 ? "untagged" : tags.join(", ")}: no container uses it, unchanged ${age}; ${restore}`,
  };
}
