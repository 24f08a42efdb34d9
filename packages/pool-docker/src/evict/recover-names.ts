import type { DockerLog } from "../docker-log.js";
import type { EvictionLedger } from "../journal/eviction-ledger.js";
import { leftInQuarantine, releaseImage, type TaggingEngine } from "./quarantine.js";

/** What giving names back needs of an engine. */
export interface RecoveringEngine extends TaggingEngine {
  images(): Promise<readonly { readonly Id: string; readonly RepoTags: readonly string[] }[]>;
}

/**
 * Gives images their names back that an eviction had taken when its process was killed, by what the ledger says they
 * were; an image that the ledger doesn't know keeps what it has. Throws a PoolError when the engine can't be asked.
 */
export async function recoverNames(
  engine: RecoveringEngine,
  ledger: EvictionLedger,
  log: DockerLog,
): Promise<void> {
  const images = (await engine.images()).map(({ Id, RepoTags }) => ({ id: Id, tags: RepoTags }));
  for (const { id, tags } of leftInQuarantine(images)) {
    const line = ledger.byImage(id).findLast(({ references }) => references.length > 0);
    if (line === undefined) {
      const why = "lost its names to an eviction that was killed, and the ledger doesn't know them";
      log.warn({ id, tags }, `image ${id} ${why}`);
      continue;
    }
    const { references, digests } = line;
    const missing = await releaseImage(engine, { id, tags: references, digests });
    if (missing.length === 0) {
      log.info({ id }, `gave back the names ${references.join(", ")} that a killed eviction had taken`);
    } else log.warn({ id, missing }, `could not give back ${missing.join(", ")} to image ${id}`);
  }
}
