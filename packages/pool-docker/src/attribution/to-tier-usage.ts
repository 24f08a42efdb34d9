import type { DockerJournalStatus, DockerTierUsage } from "@continuum/wire-types";
import type { UseHistory } from "../journal/image-use.js";
import type { LatestAttribution } from "./docker-attributor.js";

/** Who fills Docker's disk as it goes over the wire: the largest entries, with what is known of their use. */
export function toTierUsage(
  { attribution, reading, atMs, ageMs, isRefreshing, error }: LatestAttribution,
  uses: UseHistory,
  journal: DockerJournalStatus,
  limit: number,
): DockerTierUsage {
  const { categories, entries, accountedBytes, unexplainedBytes } = attribution;
  return {
    atMs,
    ageMs,
    isRefreshing,
    error,
    reading,
    categories: categories.map((category) => ({ ...category })),
    accountedBytes,
    unexplainedBytes,
    entries: entries.slice(0, limit).map((entry) => {
      const use = entry.kind === "image" ? uses.get(entry.id) : undefined;
      return { ...entry, lastUsedAtMs: use?.lastUsedAtMs ?? null, useCount: use?.useCount ?? null };
    }),
    omittedCount: Math.max(0, entries.length - limit),
    journal,
  };
}
