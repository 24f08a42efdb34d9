import { z } from "zod";

/** What is read of the engine's replies. Unknown keys pass; a missing or absurd figure doesn't become a zero. */

/** Whole bytes; a negative or absurd figure is an error, not a zero. */
export const bytes = z.number().int().nonnegative();
/** A map of texts; Go writes an empty one as null. */
const stringRecord = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {});
/** Tags, or references by digest. */
export const references = z
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

/** What `/info` says. */
export const engineInfoSchema = z.object({
  ID: z.string().nullish(),
  Name: z.string(),
  DockerRootDir: z.string().min(1),
  Driver: z.string(),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  OperatingSystem: z.string(),
  SecurityOptions: z.array(z.string()).nullish(),
  /** Podman alone says it. */
  BuildahVersion: z.string().nullish(),
  /** Newer engines say which containerd they use. */
  Containerd: z.object({ Address: z.string().nullish() }).nullish(),
  Images: bytes,
});

/** The reply of `/containers/json`. */
export const containerListSchema = z.array(
  z.object({
    Id: z.string().min(1),
    Names: z.array(z.string()).nullish(),
    Image: z.string(),
    ImageID: z.string(),
    State: z.string().nullish(),
    /** Unix seconds. */
    Created: z.number().nullish(),
    Labels: stringRecord,
    /** Only where it was asked for; left out where nothing was written. */
    SizeRw: z.number().int().nullish(),
    SizeRootFs: z.number().int().nullish(),
  }),
);

/** The reply of `/containers/ID/json`. */
export const containerInspectSchema = z.object({
  Id: z.string().min(1),
  Name: z.string(),
  Image: z.string(),
  Created: time,
  LogPath: z.string().nullish(),
  /** A file in the engine's directory of this container; "" before it was started. */
  ResolvConfPath: z.string().nullish(),
  HostConfig: z.object({ LogConfig: z.object({ Type: z.string().nullish() }).nullish() }).nullish(),
  State: z.object({ Status: z.string(), StartedAt: time, FinishedAt: time }),
  Config: z.object({ Image: z.string().nullish(), Labels: stringRecord }).nullish(),
});

/** The reply of `/images/NAME/history`, the newest line first. */
export const imageHistorySchema = z.array(
  z.object({ CreatedBy: z.string(), Size: bytes, Created: z.number().nullish() }),
);

/** The reply of `/images/json`. */
export const imageListSchema = z.array(
  z.object({
    Id: z.string().min(1),
    ParentId: z
      .string()
      .nullish()
      .transform((id) => id ?? ""),
    /** Unix seconds of the build; 0 or less when the image doesn't say. */
    Created: z.number(),
    Labels: stringRecord,
    RepoTags: references,
    RepoDigests: references,
    Size: bytes,
  }),
);

/** The reply of `/images/NAME/json`. */
export const imageInspectSchema = z.object({
  Id: z.string().min(1),
  Created: time,
  Metadata: z.object({ LastTagTime: time }).nullish(),
  /** Ids of the layers, from the base up; absent or null for images without any. */
  RootFS: z.object({ Layers: z.array(z.string()).nullish() }).nullish(),
  RepoTags: references,
  RepoDigests: references,
  Config: z.object({ Labels: stringRecord }).nullish(),
  Size: bytes,
});

/** One record, with its parents as older (`Parent`) and newer engines (`Parents`) give them. */
export const buildCacheRecordSchema = z
  .object({
    ID: z.string().min(1),
    Parent: z.string().nullish(),
    Parents: z.array(z.string()).nullish(),
    /** Documented as `Parents`; what engines send from API 1.42 on begins with a space. */
    " Parents": z.array(z.string()).nullish(),
    Type: z.string().nullish(),
    Description: z.string().nullish(),
    InUse: z.boolean(),
    Shared: z.boolean(),
    Size: bytes,
    CreatedAt: time,
    LastUsedAt: time,
    UsageCount: z.number().int().nonnegative().nullish(),
  })
  .transform(({ " Parents": misspelled, ...record }) => ({
    ...record,
    Parents: record.Parents ?? misspelled ?? null,
  }));

/** The reply of `POST /build/prune`. */
export const buildPruneSchema = z.object({
  CachesDeleted: z
    .array(z.string())
    .nullish()
    .transform((ids) => ids ?? []),
  SpaceReclaimed: bytes,
});

/** The reply of `DELETE /images/NAME`. */
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
/** One container in detail. */
export type EngineContainerDetail = z.output<typeof containerInspectSchema>;
/** One line of an image's history, as the engine has it. */
export interface EngineHistoryLine {
  readonly createdBy: string;
  readonly sizeBytes: number;
  /** Unix milliseconds; null when unknown. */
  readonly createdAtMs: number | null;
}
/** One record of build cache. */
export type BuildCacheRecord = z.output<typeof buildCacheRecordSchema>;
/** What a prune of build cache deleted. */
export type BuildPruneResult = z.output<typeof buildPruneSchema>;
