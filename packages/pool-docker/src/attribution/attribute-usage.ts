import type { EngineDiskUsage } from "../engine/disk-usage.js";

/** What fills a disk, by kind. */
export type UsageKind = "image" | "container" | "containerLog" | "volume" | "buildCache";

/** One thing that takes up space. Sizes in bytes; null means unknown, which is never 0. */
export interface UsageEntry {
  readonly kind: UsageKind;
  readonly id: string;
  readonly name: string;
  /** With what it shares. */
  readonly sizeBytes: number | null;
  readonly uniqueBytes: number | null;
  readonly sharedBytes: number | null;
  readonly inUse: boolean | null;
  readonly createdAtMs: number | null;
}

/** All of one kind; what they share is counted once. */
export interface UsageCategory {
  readonly kind: UsageKind;
  readonly count: number | null;
  /** Null when nothing of it is known. */
  readonly bytes: number | null;
  /** How many are of an unknown size, and not in `bytes`. */
  readonly unknownCount: number;
}

/** Who fills a disk. */
export interface UsageAttribution {
  /** The largest first; unknown ones last. */
  readonly categories: readonly UsageCategory[];
  readonly entries: readonly UsageEntry[];
  /** What all kinds take up together, as far as it is known. */
  readonly accountedBytes: number;
  /**
   * What the disk holds beyond that: other programs' files, the engine's own. Null when the disk's use or the size of
   * something isn't known; 0 when more is accounted than is used (compression, or files that changed meanwhile).
   */
  readonly unexplainedBytes: number | null;
}

/** Sizes of containers' logs by container id; null for one that can't be read. */
export type LogSizes = ReadonlyMap<string, number | null>;

/** Says who holds what, from what an engine and the host say; `usedBytes` is the disk's, null when it isn't known. */
export function attributeUsage(
  usage: EngineDiskUsage,
  logs: LogSizes,
  usedBytes: number | null,
): UsageAttribution {
  const entries: UsageEntry[] = [
    ...usage.images.map(
      ({ id, tags, digests, sizeBytes, sharedBytes, containers, createdAtMs }): UsageEntry => ({
        kind: "image",
        id,
        name: tags.length > 0 ? tags.join(", ") : (digests[0] ?? id),
        sizeBytes,
        uniqueBytes: sharedBytes === null ? null : Math.max(0, sizeBytes - sharedBytes),
        sharedBytes,
        inUse: isUsed(id, containers, usage),
        createdAtMs,
      }),
    ),
    ...usage.containers.map(({ id, name, writableBytes, state, createdAtMs }): UsageEntry => ({
      kind: "container",
      id,
      name,
      ...own(writableBytes),
      inUse: state === "" ? null : state === "running" || state === "paused" || state === "restarting",
      createdAtMs,
    })),
    ...usage.containers.flatMap(({ id, name, createdAtMs }): UsageEntry[] => {
      const bytes = logs.get(id);
      if (bytes === undefined || bytes === 0) return [];
      return [{ kind: "containerLog", id, name: `log of ${name}`, ...own(bytes), inUse: true, createdAtMs }];
    }),
    ...usage.volumes.map(({ name, sizeBytes, refCount }): UsageEntry => ({
      kind: "volume",
      id: name,
      name,
      ...own(sizeBytes),
      inUse: refCount === null ? null : refCount > 0,
      createdAtMs: null,
    })),
    ...(usage.buildCache ?? []).map((record): UsageEntry => {
      const { ID, Description, Size, Shared, InUse, CreatedAt } = record;
      return {
        kind: "buildCache",
        id: ID,
        name: Description === undefined || Description === null || Description === "" ? ID : Description,
        sizeBytes: Size,
        // Bytes that an image holds, too, are counted with the image.
        uniqueBytes: Shared ? 0 : Size,
        sharedBytes: Shared ? Size : 0,
        inUse: InUse,
        createdAtMs: CreatedAt,
      };
    }),
  ];
  const categories = [
    toImageCategory(usage),
    toCategory("container", entries),
    { ...toCategory("containerLog", entries), count: usage.containers.length },
    toCategory("volume", entries),
    usage.buildCache === null
      ? { kind: "buildCache" as const, count: null, bytes: null, unknownCount: 0 }
      : toCategory("buildCache", entries),
  ].sort((a, b) => (b.bytes ?? -1) - (a.bytes ?? -1));
  const accountedBytes = categories.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  const isComplete = categories.every(({ bytes, unknownCount }) => bytes !== null && unknownCount === 0);
  return {
    categories,
    entries: entries.sort(
      (a, b) => (b.sizeBytes ?? -1) - (a.sizeBytes ?? -1) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
    ),
    accountedBytes,
    unexplainedBytes: usedBytes === null || !isComplete ? null : Math.max(0, usedBytes - accountedBytes),
  };
}

function own(bytes: number | null): Pick<UsageEntry, "sizeBytes" | "uniqueBytes" | "sharedBytes"> {
  return { sizeBytes: bytes, uniqueBytes: bytes, sharedBytes: bytes === null ? null : 0 };
}

/** The engine may not have counted; the list of containers says it as well. */
function isUsed(id: string, containers: number | null, usage: EngineDiskUsage): boolean {
  return (containers ?? 0) > 0 || usage.containers.some(({ imageId }) => imageId === id);
}

function toImageCategory({ images, layersBytes }: EngineDiskUsage): UsageCategory {
  const count = images.length;
  if (layersBytes !== null) return { kind: "image", count, bytes: layersBytes, unknownCount: 0 };
  // Without the sum of all layers only what isn't shared can be added up.
  const unknownCount = images.filter(({ sharedBytes }) => sharedBytes !== 0).length;
  const bytes = images.reduce(
    (sum, { sizeBytes, sharedBytes }) => sum + (sharedBytes === 0 ? sizeBytes : 0),
    0,
  );
  return { kind: "image", count, bytes: count === unknownCount && count > 0 ? null : bytes, unknownCount };
}

function toCategory(kind: UsageKind, entries: readonly UsageEntry[]): UsageCategory {
  const own = entries.filter((entry) => entry.kind === kind);
  const known = own.flatMap(({ uniqueBytes }) => (uniqueBytes === null ? [] : [uniqueBytes]));
  const unknownCount = own.length - known.length;
  const bytes = known.length === 0 && unknownCount > 0 ? null : known.reduce((sum, each) => sum + each, 0);
  return { kind, count: own.length, bytes, unknownCount };
}
