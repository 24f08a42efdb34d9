import type { DfReading } from "./df-reading.js";

/** Never filled to the last byte: the engine itself writes logs and metadata. */
const KEEP_FREE_BYTES = 4 * 2 ** 20;

/**
 * Content bytes of the next image on the way to `ratio`, null once it is reached. The last image takes the whole
 * rest, so that none is smaller than half of `imageBytes` and the disk lands just over the ratio, never out of space.
 */
export function nextFillBytes(df: DfReading, ratio: number, imageBytes: number): number | null {
  if (df.pressure >= ratio) return null;
  const goal = Math.min(Math.ceil(df.capacityBytes * ratio), df.capacityBytes - KEEP_FREE_BYTES);
  const missing = goal - df.usedBytes;
  if (missing <= 0) return null;
  // Directories and metadata come on top of the content (some 100 kB), so this lands over the goal, not below it.
  return missing >= imageBytes * 1.5 ? imageBytes : missing;
}
