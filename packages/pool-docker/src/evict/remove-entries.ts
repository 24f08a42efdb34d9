import type { BuildPruneResult } from "../engine/engine-replies.js";
import type { PlanEntry } from "../plan/eviction-plan.js";
import { deleteImage } from "./delete-image.js";

/** What deleting needs of an engine. */
export interface RemovingEngine {
  imageRemove(image: string, signal?: AbortSignal): Promise<readonly string[]>;
  tag(image: string, reference: string, signal?: AbortSignal): Promise<void>;
  containerRemove(id: string, signal?: AbortSignal): Promise<void>;
  buildPruneIds(ids: readonly string[], signal?: AbortSignal): Promise<BuildPruneResult>;
}

/**
 * Deletes one image, one container, or several records of build cache, by id and never by force; gives the ids that are
 * gone. Throws a PoolError `conflict` when something is in use, `notFound` when it is gone already.
 */
export async function removeEntries(
  engine: RemovingEngine,
  entries: readonly PlanEntry[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const [first] = entries;
  if (first === undefined) return new Set();
  if (first.kind === "image") {
    await deleteImage(engine, first.image, signal);
    return new Set([first.id]);
  }
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
