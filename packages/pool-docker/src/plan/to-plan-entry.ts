import type { UseHistory } from "../journal/image-use.js";
import type {
  DockerInventory,
  InventoryCacheRecord,
  InventoryContainer,
  InventoryImage,
} from "./docker-inventory.js";
import type { PlanEntry } from "./eviction-plan.js";
import { isRecoverable, touchedAt } from "./keep-reasons.js";

type Unplaced<T> = T extends unknown ? Omit<T, "position"> : never;

/** A plan's entry without its place in the order. */
export type UnplacedEntry = Unplaced<PlanEntry>;

/** The entry of a record of build cache. */
export function toRecordEntry(record: InventoryCacheRecord, nowMs: number): UnplacedEntry {
  const { id, sizeBytes, lastUsedAtMs, createdAtMs } = record;
  return {
    kind: "buildCache",
    id,
    name: nameOfRecord(record),
    rule: "unusedBuildCache",
    reason: `no build uses it, ${sayLastUse(nowMs, lastUsedAtMs ?? createdAtMs)}; the next build makes it again`,
    expectedBytes: sizeBytes,
    lastUsedAtMs,
    restoreReference: null,
    record,
  };
}

/** The entry of a stopped container. */
export function toContainerEntry(container: InventoryContainer, nowMs: number): UnplacedEntry {
  const { id, name, state, finishedAtMs, createdAtMs, writableBytes } = container;
  return {
    kind: "container",
    id,
    name,
    rule: "stoppedContainer",
    reason: `it is ${state}, ${sayLastUse(nowMs, finishedAtMs ?? createdAtMs)}; what it wrote is lost, its volumes stay`,
    expectedBytes: writableBytes ?? 0,
    lastUsedAtMs: finishedAtMs,
    restoreReference: null,
    container,
  };
}

/** The entry of an image that frees so many bytes. */
export function toImageEntry(
  image: InventoryImage,
  expectedBytes: number,
  { digestsAreFromRegistries }: DockerInventory,
  uses: UseHistory,
  nowMs: number,
): UnplacedEntry {
  const isBack = isRecoverable(image, digestsAreFromRegistries);
  const restoreReference = isBack ? (image.digests[0] ?? null) : null;
  const lastUsedAtMs = uses.get(image.id)?.lastUsedAtMs ?? null;
  const idle =
    lastUsedAtMs === null
      ? `never seen in use, here ${sayFor(nowMs, touchedAt(image))}`
      : sayLastUse(nowMs, lastUsedAtMs);
  const restore =
    restoreReference === null
      ? "no registry is known to have it"
      : `docker pull ${restoreReference} brings it back`;
  const isDangling = image.tags.length === 0;
  return {
    kind: "image",
    id: image.id,
    name: nameOfImage(image),
    rule: isDangling ? "danglingImage" : "unusedImage",
    reason: `${isDangling ? "untagged, " : ""}no container uses it, ${idle}; ${restore}`,
    expectedBytes,
    lastUsedAtMs,
    restoreReference,
    image,
  };
}

/** What people call an image. */
export function nameOfImage({ id, tags, digests }: InventoryImage): string {
  return tags.length > 0 ? tags.join(", ") : (digests[0] ?? id);
}

/** What people call a record of build cache. */
export function nameOfRecord({ id, description }: InventoryCacheRecord): string {
  return description === "" ? id : description;
}

function sayLastUse(nowMs: number, atMs: number | null): string {
  return atMs === null ? "of unknown age" : `last used ${sayFor(nowMs, atMs)} ago`;
}

function sayFor(nowMs: number, atMs: number | null): string {
  if (atMs === null) return "for an unknown time";
  const minutes = Math.floor(Math.max(0, nowMs - atMs) / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} d`;
}
