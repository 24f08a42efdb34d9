/** What an entry of a cache directory is. */
export type CacheEntryKind = "directory" | "file" | "revision" | "blob" | "incomplete";

/** A piece that several entries may use: it goes with the last of them. */
export interface SharedPart {
  /** Relative to the root. */
  readonly path: string;
  readonly bytes: number;
  /** As an entry's, of this file. */
  readonly checksum: number;
}

/** What can be evicted as one, as a walk found it. Paths are relative to the root. */
export interface CacheEntry {
  /** Unique in its pool: the path that a person would look for. */
  readonly key: string;
  readonly kind: CacheEntryKind;
  /** What goes with it in any case, in the order in which it goes: what names it or belongs to it, then its key. */
  readonly paths: readonly string[];
  /** What goes with it unless another entry that stays uses it, too. */
  readonly parts: readonly SharedPart[];
  /** Parts that it names and that aren't there. */
  readonly missingParts: readonly string[];
  /** Allocated bytes that its own paths free, without its parts. */
  readonly bytes: number;
  readonly fileCount: number;
  readonly createdAtMs: number;
  /** The latest access or change of one of its files, as far as the filesystem says. */
  readonly lastUsedAtMs: number;
  /** Why it must stay; null when only its age and the rules decide. */
  readonly keepReason: string | null;
  /** The command that brings it back; null where there is none. */
  readonly restore: string | null;
  /** Of the files below its key: two looks that give the same found the same ones, neither changed nor used. */
  readonly checksum: number;
}
