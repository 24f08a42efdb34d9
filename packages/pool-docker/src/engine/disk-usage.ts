import { PoolError } from "@continuum/broker-core";
import { z } from "zod";
import { buildCacheRecordSchema, type BuildCacheRecord, bytes, references } from "./engine-replies.js";

/** What an engine says of its disk, whatever its version. Sizes in bytes; null means unknown, which is never 0. */
export interface EngineDiskUsage {
  /** All layers of all images, each once. */
  readonly layersBytes: number | null;
  readonly images: readonly EngineImageUsage[];
  readonly containers: readonly EngineContainerUsage[];
  readonly volumes: readonly EngineVolumeUsage[];
  /** Null when the engine doesn't say. */
  readonly buildCache: readonly BuildCacheRecord[] | null;
}

/** One image's share. */
export interface EngineImageUsage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  /** With all layers. */
  readonly sizeBytes: number;
  /** What other images hold, too. */
  readonly sharedBytes: number | null;
  /** Containers made from it. */
  readonly containers: number | null;
  readonly createdAtMs: number | null;
}

/** One container's share. */
export interface EngineContainerUsage {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: string;
  /** Its writable layer. */
  readonly writableBytes: number | null;
  readonly createdAtMs: number | null;
}

/** One volume's share. */
export interface EngineVolumeUsage {
  readonly name: string;
  readonly sizeBytes: number | null;
  /** Containers that have it. */
  readonly refCount: number | null;
}

/** A size of which -1 means unknown. */
const sizeOrUnknown = z
  .number()
  .int()
  .min(-1)
  .nullish()
  .transform((value) => (value === undefined || value === null || value < 0 ? null : value));
/** What Podman leaves away here, unlike in its lists: the ids' algorithm. */
const imageId = z
  .string()
  .min(1)
  .transform((id) => (/^[0-9a-f]{64}$/u.test(id) ? `sha256:${id}` : id));
/** Unix seconds. */
const seconds = z
  .number()
  .nullish()
  .transform((value) =>
    value === undefined || value === null || value <= 0 ? null : Math.round(value * 1000),
  );

const imageSchema = z
  .object({
    Id: imageId,
    RepoTags: references,
    RepoDigests: references,
    Size: bytes,
    SharedSize: sizeOrUnknown,
    Containers: sizeOrUnknown,
    Created: seconds,
  })
  .transform((image): EngineImageUsage => ({
    id: image.Id,
    // Podman gives the tags without their repositories: that names nothing.
    tags: image.RepoTags.filter((reference) => reference.includes(":")),
    digests: image.RepoDigests,
    sizeBytes: image.Size,
    sharedBytes: image.SharedSize,
    containers: image.Containers,
    createdAtMs: image.Created,
  }));

const containerSchema = z
  .object({
    Id: z.string().min(1),
    Names: z.array(z.string()).nullish(),
    Image: z.string(),
    ImageID: z.union([imageId, z.literal("")]).nullish(),
    State: z.string().nullish(),
    Created: seconds,
    SizeRw: z.number().int().min(-1).nullish(),
    SizeRootFs: sizeOrUnknown,
  })
  .transform((container): EngineContainerUsage => ({
    id: container.Id,
    name: (container.Names?.[0] ?? container.Id.slice(0, 12)).replace(/^\//u, ""),
    image: container.Image,
    imageId: container.ImageID ?? "",
    state: container.State ?? "",
    writableBytes: toWritableBytes(container.SizeRw ?? null, container.SizeRootFs),
    createdAtMs: container.Created,
  }));

/** The engine leaves out a size of 0, and writes -1 for one that it doesn't know, even beside a whole that it knows. */
function toWritableBytes(writable: number | null, whole: number | null): number | null {
  if (writable !== null) return writable < 0 ? null : writable;
  return whole === null ? null : 0;
}

const volumeSchema = z
  .object({
    Name: z.string().min(1),
    UsageData: z.object({ Size: sizeOrUnknown, RefCount: sizeOrUnknown }).nullish(),
  })
  .transform((volume): EngineVolumeUsage => ({
    name: volume.Name,
    sizeBytes: volume.UsageData?.Size ?? null,
    refCount: volume.UsageData?.RefCount ?? null,
  }));

/** Go writes an empty list as null: that is nothing, not unknown. */
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullable()
    .transform((items) => items ?? []);

/** Up to API 1.51. */
const oldSchema = z.object({
  LayersSize: sizeOrUnknown,
  Images: listOf(imageSchema),
  Containers: listOf(containerSchema),
  Volumes: listOf(volumeSchema),
  BuildCache: listOf(buildCacheRecordSchema).optional(),
});

/** From API 1.52 on, with `verbose=1`; an empty list of items is left out. */
const newSchema = z.object({
  ImageUsage: sectionOf(imageSchema),
  ContainerUsage: sectionOf(containerSchema),
  VolumeUsage: sectionOf(volumeSchema),
  BuildCacheUsage: sectionOf(buildCacheRecordSchema).optional(),
});

function sectionOf<T extends z.ZodType>(item: T) {
  return z
    .object({ TotalCount: bytes.nullish(), TotalSize: sizeOrUnknown, Items: listOf(item).optional() })
    .refine(({ TotalCount, Items }) => (TotalCount ?? 0) === 0 || (Items?.length ?? 0) > 0, {
      error: "it counts items and lists none",
    });
}

/** Reads a reply of `/system/df` in its older or its newer shape; throws a PoolError `protocol` for anything else. */
export function parseDiskUsage(value: unknown, name: string): EngineDiskUsage {
  const isNew = typeof value === "object" && value !== null && "ImageUsage" in value;
  const parsed = isNew ? newSchema.safeParse(value) : oldSchema.safeParse(value);
  if (!parsed.success) {
    const why = z.prettifyError(parsed.error).replaceAll("\n", " ").slice(0, 300);
    throw new PoolError("protocol", `${name}, GET /system/df: unexpected reply: ${why}`, {
      cause: parsed.error,
    });
  }
  const { data } = parsed;
  if ("ImageUsage" in data) {
    return {
      layersBytes: data.ImageUsage.TotalSize,
      images: data.ImageUsage.Items ?? [],
      containers: data.ContainerUsage.Items ?? [],
      volumes: data.VolumeUsage.Items ?? [],
      buildCache: data.BuildCacheUsage === undefined ? null : (data.BuildCacheUsage.Items ?? []),
    };
  }
  return {
    layersBytes: toLayersBytes(data.LayersSize, data.Images),
    images: data.Images,
    containers: data.Containers,
    volumes: data.Volumes,
    buildCache: data.BuildCache ?? null,
  };
}

/** Podman writes 0 for what it doesn't add up: no layers of images that have a size aren't 0 bytes. */
function toLayersBytes(layersBytes: number | null, images: readonly EngineImageUsage[]): number | null {
  return layersBytes === 0 && images.some(({ sizeBytes }) => sizeBytes > 0) ? null : layersBytes;
}

/** Reads the build cache of a reply that may hold nothing else; null where the engine doesn't say. */
export function parseBuildCache(value: unknown, name: string): readonly BuildCacheRecord[] | null {
  const schema = z.object({
    BuildCache: listOf(buildCacheRecordSchema).optional(),
    BuildCacheUsage: sectionOf(buildCacheRecordSchema).optional(),
  });
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const why = z.prettifyError(parsed.error).replaceAll("\n", " ").slice(0, 300);
    throw new PoolError("protocol", `${name}, GET /system/df: unexpected reply: ${why}`, {
      cause: parsed.error,
    });
  }
  const { BuildCache, BuildCacheUsage } = parsed.data;
  if (BuildCacheUsage !== undefined) return BuildCacheUsage.Items ?? [];
  return BuildCache ?? null;
}
