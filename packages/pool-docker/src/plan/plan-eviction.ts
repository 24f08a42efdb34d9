import type { UseHistory } from "../journal/image-use.js";
import { chooseImages, type ChosenImages, type ImageCandidate } from "./choose-images.js";
import type { DockerInventory, InventoryContainer } from "./docker-inventory.js";
import { dropUnneeded } from "./drop-unneeded.js";
import type { EvictionPlan, ProtectedEntry } from "./eviction-plan.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { type KeepReason, keepReasonOfContainer, namesOf, toHeldNames } from "./keep-reasons.js";
import { toFreedBytes, toLayerForest } from "./layer-forest.js";
import { sortBuildCache } from "./sort-build-cache.js";
import { EXCLUDED, sortImages, withoutSteps } from "./sort-images.js";
import { nameOfImage, nameOfRecord, toContainerEntry, toImageEntry, toRecordEntry } from "./to-plan-entry.js";

/** What is asked of a plan. */
export interface PlanRequest {
  /** `Number.MAX_SAFE_INTEGER` for all that may go. */
  readonly wantBytes: number;
  readonly nowMs: number;
  /** Ids that are left alone, whatever the policy. */
  readonly exclude?: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();

/**
 * Decides what an eviction deletes, in which order, and what stays and why; the same for the same input, in whatever
 * order it comes.
 *
 * Build cache first, then under `aggressive` stopped containers, then images by what losing them is expected to cost for
 * each byte that it frees, nameless ones before the others. No entry can be left out while the rest frees what is wanted.
 */
export function planEviction(
  inventory: DockerInventory,
  uses: UseHistory,
  policy: EvictionPolicy,
  { wantBytes, nowMs, exclude = NOTHING }: PlanRequest,
): EvictionPlan {
  const cache = sortBuildCache(inventory.buildCache ?? [], policy, exclude, nowMs);
  const containers = sortContainers(inventory.containers, policy, exclude, nowMs);
  const forest = toLayerForest(inventory.images);
  const staying = containers.kept.map(({ container }) => container);
  const images = sortImages(inventory, staying, forest, { uses, policy, exclude, nowMs });
  const holdersOf = toHolders(containers.free);
  const keptIds = images.kept.map(({ image }) => image.id);

  const records = takeUntil(cache.free, ({ sizeBytes }) => sizeBytes, wantBytes);
  // What wrote nothing frees nothing by itself.
  const written = containers.free.filter(({ writableBytes }) => (writableBytes ?? 0) > 0);
  const ending = takeUntil(written, ({ writableBytes }) => writableBytes ?? 0, wantBytes - records.bytes);
  const stillBytes = wantBytes - records.bytes - ending.bytes;
  const gone = new Set(ending.taken);
  let chosen = choose((each) => holdersOf(each).every((holder) => gone.has(holder)));
  // Not enough: more containers may go, and then the images that only they hold.
  if (chosen.freedBytes < stillBytes) chosen = choose(() => true);

  function choose(mayGo: (candidate: ImageCandidate) => boolean): ChosenImages {
    if (stillBytes <= 0) return { chosen: [], freedBytes: 0 };
    const candidates = images.candidates.filter(mayGo);
    const going = new Set(candidates);
    const heldIds = images.candidates.filter((each) => !going.has(each)).map(({ image }) => image.id);
    return chooseImages({ forest, candidates, keptIds: [...keptIds, ...heldIds], wantBytes: stillBytes });
  }

  for (const candidate of chosen.chosen) for (const holder of holdersOf(candidate)) gone.add(holder);
  const chosenIds = new Set(chosen.chosen.map(({ image }) => image.id));
  const going = dropUnneeded(
    {
      records: records.taken,
      containers: containers.free.filter((each) => gone.has(each)),
      images: chosen.chosen,
    },
    {
      forest,
      holdersOf,
      stayingIds: [
        ...keptIds,
        ...images.candidates.map(({ image }) => image.id).filter((id) => !chosenIds.has(id)),
      ],
      spareBytes: chosen.freedBytes - stillBytes,
    },
  );

  const freed = toFreedBytes(
    forest,
    withoutSteps(inventory).map(({ id }) => id),
    going.images.map(({ image }) => image.id),
  );
  const entries = [
    ...going.records.map((record) => toRecordEntry(record, nowMs)),
    ...going.containers.map((container) => toContainerEntry(container, nowMs)),
    ...going.images.map(({ image }, i) => toImageEntry(image, freed[i] ?? 0, inventory, uses, nowMs)),
  ].map((entry, position) => ({ ...entry, position }));
  const expectedBytes = sum(entries.map((entry) => entry.expectedBytes));
  const mostBytes =
    sum(cache.free.map(({ sizeBytes }) => sizeBytes)) +
    sum(containers.free.map(({ writableBytes }) => writableBytes ?? 0)) +
    images.candidateBytes;
  const protectedEntries: ProtectedEntry[] = [
    ...cache.kept.map(({ record, why }) => {
      const { id, sizeBytes } = record;
      return { kind: "buildCache" as const, id, name: nameOfRecord(record), sizeBytes, ...why };
    }),
    ...containers.kept.map(({ container, why }) => {
      const { id, name, writableBytes } = container;
      return { kind: "container" as const, id, name, sizeBytes: writableBytes, ...why };
    }),
    ...images.kept.map(({ image, why }) => {
      const { id, sizeBytes } = image;
      return { kind: "image" as const, id, name: nameOfImage(image), sizeBytes, ...why };
    }),
  ];
  return {
    wantBytes,
    entries,
    expectedBytes,
    spareBytes: mostBytes - expectedBytes,
    protectedEntries: protectedEntries.sort(
      (a, b) => (b.sizeBytes ?? -1) - (a.sizeBytes ?? -1) || (a.id < b.id ? -1 : 1),
    ),
  };
}

interface SortedContainers {
  /** The longest ended first. */
  readonly free: readonly InventoryContainer[];
  readonly kept: readonly { readonly container: InventoryContainer; readonly why: KeepReason }[];
}

function sortContainers(
  containers: readonly InventoryContainer[],
  policy: EvictionPolicy,
  exclude: ReadonlySet<string>,
  nowMs: number,
): SortedContainers {
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

/** Which of some containers hold an image. */
function toHolders(
  containers: readonly InventoryContainer[],
): (candidate: ImageCandidate) => readonly InventoryContainer[] {
  const byName = new Map<string, InventoryContainer[]>();
  for (const container of containers) {
    for (const name of toHeldNames([container])) {
      const there = byName.get(name);
      if (there === undefined) byName.set(name, [container]);
      else there.push(container);
    }
  }
  if (byName.size === 0) return () => [];
  return ({ image }) => [...new Set([...namesOf(image)].flatMap((name) => byName.get(name) ?? []))];
}

function takeUntil<T>(
  given: readonly T[],
  bytesOf: (each: T) => number,
  wantBytes: number,
): { readonly taken: readonly T[]; readonly bytes: number } {
  const taken: T[] = [];
  let bytes = 0;
  for (const each of given) {
    if (bytes >= wantBytes) break;
    taken.push(each);
    bytes += bytesOf(each);
  }
  return { taken, bytes };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
