import { type EvictionPolicy, type InventoryImage, planEviction, UseBook } from "@continuum/pool-docker";
import type { TraceImage } from "./make-traces.js";
import type { CachePolicy, HostImage, HostState } from "./simulate-host.js";

/** All that may go goes: no rule keeps anything, however young. */
export const UNGUARDED_POLICY: EvictionPolicy = {
  name: "standard",
  keepLabel: { key: "keep", value: null },
  keepReferences: [],
  keepNewestPerRepository: 0,
  minAgeMs: { image: 0, container: 0, buildCache: 0 },
  minIdleMs: 0,
};

/** This project's planner, with a journal that saw every use. */
export function plannerPolicy(): CachePolicy {
  const book = new UseBook(new Map());
  return {
    name: "planner",
    onUse: (image, atMs) => {
      book.see(image.id, atMs);
      book.use(image.id, atMs, atMs);
    },
    onGone: ({ id }) => {
      book.remove(id);
    },
    evict: ({ nowMs, present, runningId, wantBytes }: HostState) => {
      const byId = new Map(present.map(({ image }) => [image.id, image]));
      const { entries } = planEviction(
        {
          images: present.map(toInventoryImage),
          containers: [
            {
              id: "running",
              name: "running",
              imageId: runningId,
              image: runningId,
              state: "running",
              labels: {},
              createdAtMs: nowMs,
              finishedAtMs: null,
              writableBytes: 0,
            },
          ],
          buildCache: [],
          digestsAreFromRegistries: true,
        },
        book.history,
        UNGUARDED_POLICY,
        { wantBytes, nowMs },
      );
      return entries.flatMap(({ id }) => byId.get(id) ?? []);
    },
  };
}

/** What it is held against. */
export function otherPolicies(): readonly CachePolicy[] {
  return [
    ordered("plain LRU", (a, b) => a.lastUsedAtMs - b.lastUsedAtMs),
    ordered("oldest created first", (a, b) => a.image.createdAtMs - b.image.createdAtMs),
    ordered("largest first", (a, b) => sizeOf(b.image) - sizeOf(a.image)),
    { ...ordered("prune everything", () => 0), goesAllTheWay: true },
  ];
}

function ordered(name: string, compare: (a: HostImage, b: HostImage) => number): CachePolicy {
  return {
    name,
    evict: ({ present }) =>
      [...present]
        .sort((a, b) => compare(a, b) || (a.image.id < b.image.id ? -1 : 1))
        .map(({ image }) => image),
  };
}

function sizeOf({ layers }: TraceImage): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0);
}

function toInventoryImage({ image, arrivedAtMs }: HostImage): InventoryImage {
  return {
    id: image.id,
    parentId: "",
    layers: image.layers.map(({ id }) => id),
    layerBytes: image.layers.map(({ bytes }) => bytes),
    tags: [`${image.repository}:${image.tag}`],
    digests: [`${image.repository}@${image.id}`],
    labels: {},
    sizeBytes: sizeOf(image),
    createdAtMs: image.createdAtMs,
    taggedAtMs: null,
    arrivedAtMs,
    buildMs: null,
  };
}
