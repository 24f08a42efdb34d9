import { hasKeepLabel } from "../evict/keep-label.js";
import type { ImageUse } from "../journal/image-use.js";
import type { InventoryCacheRecord, InventoryContainer, InventoryImage } from "./docker-inventory.js";
import type { KeepRule } from "./eviction-plan.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { familiarName, matchingPattern, repositoryOf } from "./reference-pattern.js";

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

/** What identifies an image to people and containers. */
export type NamedImage = Pick<InventoryImage, "id" | "tags" | "digests">;

/** Held by a container that doesn't say which image it uses. */
const ANY_IMAGE = "any";

/** States in which a container's processes are over, or never began. */
const STOPPED = new Set(["exited", "created", "dead"]);

/**
 * Every name by which containers hold images: ids, whole and cut short, and the references that they were made from. A
 * reference whose image can't be told holds every image that it could mean; a container that says nothing at all holds
 * every image.
 */
export function toHeldNames(
  containers: readonly Pick<InventoryContainer, "image" | "imageId">[],
): ReadonlySet<string> {
  const held = new Set<string>();
  for (const { image, imageId } of containers) {
    if (image === "" && imageId === "") held.add(ANY_IMAGE);
    if (imageId !== "") held.add(imageId);
    if (image === "") continue;
    const name = familiarName(image);
    held.add(image).add(name);
    const at = name.indexOf("@");
    if (at >= 0) held.add(`${repositoryOf(name)}${name.slice(at)}`);
    // A container may name its image without a tag, or by an id without its algorithm.
    else if (repositoryOf(name) === name) held.add(`${name}:latest`).add(`sha256:${name}`);
  }
  return held;
}

/** Whether a container, running or not, is made from the image. */
export function isHeld(image: NamedImage, held: ReadonlySet<string>): boolean {
  if (held.size === 0) return false;
  for (const name of namesOf(image)) if (held.has(name)) return true;
  return false;
}

/** The names by which a container may hold the image. */
export function* namesOf({ id, tags, digests }: NamedImage): Generator<string> {
  yield id;
  for (const name of tags) yield familiarName(name);
  for (const name of digests) yield familiarName(name);
  yield ANY_IMAGE;
  // The beginning of an id, as people type it and engines list it.
  const hex = id.replace(/^sha256:/u, "");
  for (let length = 12; length <= hex.length; length++) yield hex.slice(0, length);
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
        : "the engine doesn't say whether a registry has it",
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
