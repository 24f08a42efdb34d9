import { z } from "zod";

/** What is read of the engine's replies. Unknown keys pass; a missing or absurd figure doesn't become a zero. */

const bytes = z.number().int().nonnegative();
const nullableRecord = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {});
const references = z
  .array(z.string())
  .nullish()
  // The engine writes `<none>:<none>` for what isn't there.
  .transform((each) => (each ?? []).filter((reference) => !reference.includes("<none>")));
/** An RFC 3339 time as Unix milliseconds; null for Go's zero time, and for what is no time. */
const time = z
  .string()
  .nullish()
  .transform((text) => {
    const ms = text === null || text === undefined ? NaN : Date.parse(text);
    return Number.isFinite(ms) && ms > 0 ? ms : null;
  });

export const engineInfoSchema = z.object({
  ID: z.string().nullish(),
  Name: z.string(),
  DockerRootDir: z.string().min(1),
  Driver: z.string(),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  OperatingSystem: z.string(),
  Images: bytes,
});

export const containerListSchema = z.array(
  z.object({ Id: z.string().min(1), Image: z.string(), ImageID: z.string(), State: z.string().nullish() }),
);

export const imageListSchema = z.array(
  z.object({
    Id: z.string().min(1),
    ParentId: z
      .string()
      .nullish()
      .transform((id) => id ?? ""),
    /** Unix seconds of the build; 0 or less when the image doesn't say. */
    Created: z.number(),
    Labels: nullableRecord,
    RepoTags: references,
    RepoDigests: references,
    Size: bytes,
  }),
);

export const imageInspectSchema = z.object({
  Id: z.string().min(1),
  Created: time,
  Metadata: z.object({ LastTagTime: time }).nullish(),
  /** Ids of the layers, from the base up; absent or null for images without any. */
  RootFS: z.object({ Layers: z.array(z.string()).nullish() }).nullish(),
  RepoTags: references,
  RepoDigests: references,
  Config: z.object({ Labels: nullableRecord }).nullish(),
  Size: bytes,
});

export const buildCacheUsageSchema = z.object({
  BuildCache: z
    .array(
      z.object({
        ID: z.string(),
        InUse: z.boolean(),
        Shared: z.boolean(),
        Size: bytes,
        CreatedAt: time,
        LastUsedAt: time,
      }),
    )
    .nullish()
    .transform((records) => records ?? []),
});

export const buildPruneSchema = z.object({
  CachesDeleted: z
    .array(z.string())
    .nullish()
    .transform((ids) => ids ?? []),
  SpaceReclaimed: bytes,
});

export const imageRemoveSchema = z.array(
  z.object({ Untagged: z.string().nullish(), Deleted: z.string().nullish() }),
);

/** What `/info` says about an engine. */
export type EngineInfo = z.output<typeof engineInfoSchema>;
/** One container of the list, running or not. */
export type EngineContainer = z.output<typeof containerListSchema>[number];
/** One image of the list. */
export type EngineImage = z.output<typeof imageListSchema>[number];
/** One image in detail. */
export type EngineImageDetail = z.output<typeof imageInspectSchema>;
/** One record of build cache. */
export type BuildCacheRecord = z.output<typeof buildCacheUsageSchema>["BuildCache"][number];
/** What a prune of build cache deleted. */
export type BuildPruneResult = z.output<typeof buildPruneSchema>;
