import type { BuildPruneResult } from "../engine/engine-replies.js";
import type { PlanEntry } from "../plan/eviction-plan.js";

/** What deleting needs of an engine, but for images. */
export interface RemovingEngine {
  containerRemove(id: string, signal?: AbortSignal): Promise<void>;
  buildPruneIds(ids: readonly string[], signal?: AbortSignal): Promise<BuildPruneResult>;
}

/**
 * Deletes one container, or several records of build cache, by id and never by force; gives the ids that are gone.
 * Throws a PoolError `conflict` when something is in use, `notFound` when it is gone already.
 */
export async function removeEntries(
  engine: RemovingEngine,
  entries: readonly PlanEntry[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const [first] = entries;
  if (first === undefined) return new Set();
  if (first.kind === "container") {
    await engine.containerRemove(first.id, signal);
    return new Set([first.id]);
  }
  const { CachesDeleted } = await engine.buildPruneIds(
    entries.map(({ id }) => id),
    signal,
  );
  return new Set(CachesDeleted);
}
