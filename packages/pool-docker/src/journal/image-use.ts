/** What is known of one image's use. Times are Unix milliseconds. */
export interface ImageUse {
  /** The last use that was seen; null when none ever was. */
  readonly lastUsedAtMs: number | null;
  /** Uses that were seen as they happened. */
  readonly useCount: number;
  /** The newest uses, newest first, no two within a minute of each other; at most 8. */
  readonly recentUsesMs: readonly number[];
  /** When the image was first seen here. */
  readonly firstSeenAtMs: number;
  /**
   * Until when it may have been used without anybody seeing it: the end of the last gap in which it was here; null
   * when all its time here was watched.
   */
  readonly unwatchedUntilMs: number | null;
}

/** The uses of all images, by image id. An image that isn't in it was never seen: nothing is known of its use. */
export type UseHistory = ReadonlyMap<string, ImageUse>;
