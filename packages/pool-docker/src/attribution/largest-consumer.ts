import type { UsageAttribution } from "./attribute-usage.js";

/** What takes up most of a disk, as people know it. */
export interface LargestConsumer {
  readonly kind: string;
  readonly name: string;
  readonly sizeBytes: number;
}

/**
 * What takes up most: the largest thing of the engine's, or, where others fill the disk, all that is not the engine's.
 * Null when that isn't known.
 */
export function largestConsumer({
  entries,
  accountedBytes,
  unexplainedBytes,
}: UsageAttribution): LargestConsumer | null {
  // What the engine holds altogether decides: of two hundred images each one is smaller than anything else.
  if (unexplainedBytes !== null && unexplainedBytes > accountedBytes) {
    return { kind: "files", name: "that are not the engine's", sizeBytes: unexplainedBytes };
  }
  const [entry] = entries;
  if (entry === undefined || entry.sizeBytes === null) return null;
  const { kind, name, sizeBytes } = entry;
  return { kind, name, sizeBytes };
}
