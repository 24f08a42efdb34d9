import type { ImageUse } from "../journal/image-use.js";
import type { InventoryCacheRecord, InventoryContainer, InventoryImage } from "../plan/docker-inventory.js";
import type { EvictionPlan } from "../plan/eviction-plan.js";
import type { EvictionPolicy } from "../plan/eviction-policy.js";
import { planEviction } from "../plan/plan-eviction.js";

/** The time at which tests plan. */
export const NOW = 1_700_000_000_000;
/** A day, in milliseconds. */
export const DAY = 86_400_000;
/** Wanted bytes that stand for all that may go. */
export const ALL = Number.MAX_SAFE_INTEGER;

const standard: EvictionPolicy = {
  name: "standard",
  keepLabel: { key: "keep", value: "true" },
  keepReferences: [],
  keepNewestPerRepository: 0,
  minAgeMs: { image: DAY, container: DAY, buildCache: DAY },
  minIdleMs: 0,
};

/** An image of a layer of its own, tagged, built here nine days ago, but for what is given. */
export function image(id: string, given: Partial<InventoryImage> = {}): InventoryImage {
  const { sizeBytes = 10, layers = [`layer of ${id}`] } = given;
  return {
    id: `sha256:${id}`,
    parentId: "",
    layers,
    layerBytes: layers.length === 1 ? [sizeBytes] : null,
    tags: [`${id}:1`],
    digests: [],
    labels: {},
    sizeBytes,
    createdAtMs: NOW - 9 * DAY,
    taggedAtMs: null,
    arrivedAtMs: NOW - 9 * DAY,
    buildMs: null,
    ...given,
  };
}

/** A container that ended eight days ago and wrote nothing, but for what is given. */
export function container(id: string, given: Partial<InventoryContainer> = {}): InventoryContainer {
  return {
    id,
    name: id,
    imageId: "sha256:none",
    image: "",
    state: "exited",
    labels: {},
    createdAtMs: NOW - 9 * DAY,
    finishedAtMs: NOW - 8 * DAY,
    writableBytes: 0,
    ...given,
  };
}

/** A record of build cache that was used eight days ago, but for what is given. */
export function record(id: string, given: Partial<InventoryCacheRecord> = {}): InventoryCacheRecord {
  return {
    id,
    parentIds: [],
    inUse: false,
    shared: false,
    sizeBytes: 10,
    createdAtMs: NOW - 9 * DAY,
    lastUsedAtMs: NOW - 8 * DAY,
    useCount: 1,
    description: "",
    ...given,
  };
}

/** Uses of an image, all of which were seen; the newest first. */
export function used(lastUsedAtMs: number, more: readonly number[] = []): ImageUse {
  return {
    lastUsedAtMs,
    useCount: 1 + more.length,
    recentUsesMs: [lastUsedAtMs, ...more],
    firstSeenAtMs: NOW - 30 * DAY,
    unwatchedUntilMs: null,
  };
}

/** What a test plans with; `standard`, with a minimum age of a day, unless it says otherwise. */
export interface Asked {
  readonly images?: readonly InventoryImage[];
  readonly containers?: readonly InventoryContainer[];
  readonly buildCache?: readonly InventoryCacheRecord[];
  readonly policy?: Partial<EvictionPolicy>;
  /** By the name that the image was made with. */
  readonly uses?: Readonly<Record<string, ImageUse>>;
  readonly wantBytes?: number;
  readonly digestsAreFromRegistries?: boolean;
  readonly exclude?: ReadonlySet<string>;
}

/** Plans at `NOW`. */
export function plan(asked: Asked): EvictionPlan {
  const { images = [], containers = [], buildCache = [], digestsAreFromRegistries = true } = asked;
  const uses = new Map(Object.entries(asked.uses ?? {}).map(([id, use]) => [`sha256:${id}`, use]));
  const { wantBytes = ALL, exclude = new Set() } = asked;
  return planEviction(
    { images, containers, buildCache, digestsAreFromRegistries },
    uses,
    { ...standard, ...asked.policy },
    { wantBytes, nowMs: NOW, exclude },
  );
}

/** The names of what goes, in order. */
export function ids({ entries }: EvictionPlan): string[] {
  return entries.map(({ id }) => id.replace("sha256:", ""));
}

/** By name, the rule by which something stays. */
export function keptBy({ protectedEntries }: EvictionPlan): Record<string, string> {
  return Object.fromEntries(protectedEntries.map(({ id, rule }) => [id.replace("sha256:", ""), rule]));
}
