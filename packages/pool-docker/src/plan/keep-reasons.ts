import { hasKeepLabel } from "../evict/keep-label.js";
import type { ImageUse } from "../journal/image-use.js";
import type { InventoryCacheRecord, InventoryContainer, InventoryImage } from "./docker-inventory.js";
import type { KeepRule } from "./eviction-plan.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { matchingPattern } from "./reference-pattern.js";

/** Why something stays. */
export interface KeepReason {
  readonly rule: KeepRule;
  /** One clause for a person. */
  readonly reason: string;
}

/** What must be known beside an image to say whether it may go. */
export interface ImageContext {
  /** Names by which containers hold images: see `toHeldNames`. */
  readonly heldNames: ReadonlySet<string>;
  /** What is known of its use; undefined when the journal never saw it. */
  readonly use: ImageUse | undefined;
  readonly digestsAreFromRegistries: boolean;
}

/** States in which a container's processes are over, or never began. */
const STOPPED = new Set(["exited", "created", "dead"]);

/**
 * Every name by which containers hold images: ids, whole and cut short, and the references that they were made from. A
 * reference whose image can't be told holds every image that it could mean.
 */
export function toHeldNames(
  containers: readonly Pick<InventoryContainer, "image" | "imageId">[],
): ReadonlySet<string> {
  const held = new Set<string>();
  for (const { image, imageId } of containers) {
    for (const name of [image, imageId]) if (name !== "") held.add(name);
    // A container may name its image without a tag, or by an id without its algorithm.
    if (image !== "" && !image.includes("@") && image.lastIndexOf(":") <= image.lastIndexOf("/")) {
      held.add(`${image}:latest`).add(`sha256:${image}`);
    }
  }
  return held;
}

/** Whether a container, running or not, is made from the image. */
export function isHeld(
  { id, tags, digests }: Pick<InventoryImage, "id" | "tags" | "digests">,
  held: ReadonlySet<string>,
): boolean {
  if ([id, ...tags, ...digests].some((name) => held.has(name))) return true;
  // The beginning of an id, as people type it.
  const hex = id.replace(/^sha256:/u, "");
  for (let length = 12; length < hex.length; length++) if (held.has(hex.slice(0, length))) return true;
  return false;
}

/**
 * Why an image must stay as far as itself is concerned; null when it may go. Asked again right before each deletion,
 * with what is known then.
 */
export function keepReasonOfImage(
  image: InventoryImage,
  { heldNames, use, digestsAreFromRegistries }: ImageContext,
  policy: EvictionPolicy,
  nowMs: number,
): KeepReason | null {
  if (isHeld(image, heldNames)) return { rule: "inUse", reason: "a container uses it" };
  if (hasKeepLabel(image.labels, policy.keepLabel)) {
    return { rule: "keepLabel", reason: "its label says to keep it" };
  }
  const pattern = matchingPattern(policy.keepReferences, [...image.tags, ...image.digests]);
  if (pattern !== null) return { rule: "keepReference", reason: `its name is like ${pattern}` };
  const touchedAtMs = touchedAt(image);
  if (touchedAtMs === null) return { rule: "unknown", reason: "its age is not known" };
  if (nowMs - touchedAtMs < policy.minAgeMs.image) {
    return { rule: "minAge", reason: "it is younger than the minimum age" };
  }
  const usedAtMs = Math.max(use?.lastUsedAtMs ?? 0, use?.unwatchedUntilMs ?? 0) || touchedAtMs;
  if (nowMs - usedAtMs < policy.minIdleMs) {
    const isSeen = (use?.lastUsedAtMs ?? 0) >= (use?.unwatchedUntilMs ?? 0);
    const reason = isSeen
      ? "it was used within the minimum idle time"
      : "nobody watched whether it was used within the minimum idle time";
    return { rule: "minIdle", reason };
  }
  if (policy.name === "conservative" && !isRecoverable(image, digestsAreFromRegistries)) {
    return {
      rule: "irrecoverable",
      reason: digestsAreFromRegistries
        ? "it has no registry digest: it couldn't be had again"
        : "containerd's image store doesn't say whether a registry has it",
    };
  }
  return null;
}

/** Whether a registry is known to have the image. */
export function isRecoverable(
  { digests }: Pick<InventoryImage, "digests">,
  areFromRegistries: boolean,
): boolean {
  return areFromRegistries && digests.length > 0;
}

/** The newest thing known to have happened to an image; null when nothing is known, or when it lies out of reason. */
export function touchedAt({
  createdAtMs,
  taggedAtMs,
  arrivedAtMs,
}: Pick<InventoryImage, "createdAtMs" | "taggedAtMs" | "arrivedAtMs">): number | null {
  // The build's time alone doesn't say how long the image has been here.
  if (taggedAtMs === null && arrivedAtMs === null) return null;
  const latestMs = Math.max(...[createdAtMs, taggedAtMs, arrivedAtMs].filter((each) => each !== null));
  return Number.isSafeInteger(latestMs) && latestMs > 0 ? latestMs : null;
}

/** Why a container must stay; null when it may go. */
export function keepReasonOfContainer(
  { state, labels, createdAtMs, finishedAtMs }: InventoryContainer,
  policy: EvictionPolicy,
  nowMs: number,
): KeepReason | null {
  if (!STOPPED.has(state)) {
    return state === ""
      ? { rule: "unknown", reason: "its state is not known" }
      : { rule: "inUse", reason: `it is ${state}` };
  }
  if (policy.name !== "aggressive") {
    return { rule: "policy", reason: `stopped containers stay under the policy ${policy.name}` };
  }
  if (hasKeepLabel(labels, policy.keepLabel))
    return { rule: "keepLabel", reason: "its label says to keep it" };
  const endedAtMs = finishedAtMs ?? (state === "created" ? createdAtMs : null);
  if (endedAtMs === null) return { rule: "unknown", reason: "nobody knows when it ended" };
  if (nowMs - endedAtMs < policy.minAgeMs.container) {
    return { rule: "minAge", reason: "it ended within the minimum age" };
  }
  return null;
}

/** Why a record of build cache must stay; null when it may go. */
export function keepReasonOfRecord(
  { inUse, shared, lastUsedAtMs, createdAtMs }: InventoryCacheRecord,
  policy: EvictionPolicy,
  nowMs: number,
): KeepReason | null {
  if (inUse) return { rule: "inUse", reason: "a build uses it" };
  if (shared)
    return { rule: "neededByKept", reason: "its bytes belong to an image, too: it would free nothing" };
  const usedAtMs = lastUsedAtMs ?? createdAtMs;
  if (usedAtMs === null) {
    return policy.minAgeMs.buildCache === 0 ? null : { rule: "unknown", reason: "its age is not known" };
  }
  if (nowMs - usedAtMs < policy.minAgeMs.buildCache) {
    return { rule: "minAge", reason: "it was used within the minimum age" };
  }
  return null;
}
