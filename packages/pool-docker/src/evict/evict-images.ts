import { type Clock, type EvictedItem, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { EngineClient } from "../engine/engine-client.js";
import { deleteImage } from "./delete-image.js";
import { withGrace } from "./with-grace.js";
import { type InventoryImage, toUsedImages } from "./inventory.js";
import { type ImageCandidate, type ImagePolicy, reasonToKeep } from "./plan-images.js";
import type { ReliefGoal } from "./relief-goal.js";

/** Failures in a row after which the engine is left alone. */
const MAX_FAILURES = 3;

/** How long an eviction that is to end waits for a deletion that the engine has begun; a stop promises 2 s. */
const DELETION_GRACE_MS = 700;

/** What the stage works with. */
export interface ImageStage {
  readonly engine: Pick<EngineClient, "containers" | "imageInspect" | "imageRemove" | "tag">;
  readonly clock: Clock;
  readonly log: DockerLog;
  readonly policy: ImagePolicy;
  /** Called after a deletion that freed next to nothing. */
  readonly onLittleYield: () => Promise<void>;
  /** Told of each deletion as it happens. */
  readonly onDeleted: (item: EvictedItem) => void;
}

/** Deletes candidates in their order until nothing more is wanted; each is looked at again right before. */
export async function evictImages(
  stage: ImageStage,
  candidates: readonly ImageCandidate[],
  goal: ReliefGoal,
  signal: AbortSignal,
): Promise<void> {
  const { log } = stage;
  let failures = 0;
  for (const candidate of candidates) {
    if (goal.remainingBytes === 0 || signal.aborted) return;
    const { key, kind, expectedBytes, reason, image } = candidate;
    let isAsked = false;
    try {
      const objection = await recheck(stage, candidate, signal);
      if (objection !== null) {
        log.info({ kind, key, reason: objection }, `left ${toName(image)}: ${objection}`);
        continue;
      }
      isAsked = true;
      await withGrace(signal, stage.clock, DELETION_GRACE_MS, (each) =>
        deleteImage(stage.engine, image, each),
      );
      failures = 0;
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      if (isAsked && (error.code === "aborted" || error.code === "timeout")) {
        const restore = image.digests[0] ?? null;
        log.warn(
          { kind, key, tags: image.tags, expectedBytes, reason, restore },
          `the engine was asked to delete ${toName(image)}, and its answer wasn't waited for: it may be gone`,
        );
      }
      if (error.code === "conflict" || error.code === "notFound") {
        log.info({ kind, key, reason: error.message }, `left ${toName(image)}: ${error.message}`);
        continue;
      }
      log.warn({ kind, key, err: error }, `could not delete ${toName(image)}: ${error.message}`);
      const isEnginesOwn = error.code === "failed" || error.code === "noSpace";
      if (!isEnginesOwn || ++failures >= MAX_FAILURES) throw error;
      continue;
    }
    stage.onDeleted({ key, kind, expectedBytes, reason });
    const freedBytes = await goal.after(expectedBytes);
    const restore = image.digests[0] ?? null;
    log.info(
      { kind, key, tags: image.tags, expectedBytes, freedBytes, reason, restore },
      `deleted ${toName(image)}`,
    );
    if (goal.remainingBytes > 0 && freedBytes < expectedBytes / 2) await stage.onLittleYield();
  }
}

/** Looks at an image as it is now; gives what speaks against deleting it, null when nothing does. */
async function recheck(
  { engine, clock, policy }: ImageStage,
  { image }: ImageCandidate,
  signal: AbortSignal,
): Promise<string | null> {
  const now = await engine.imageInspect(image.id, signal);
  // Containers last: what comes into use after this is refused by the engine itself.
  const usedImages = toUsedImages(await engine.containers(signal));
  if (!hasSame(now.RepoTags, image.tags) || !hasSame(now.RepoDigests, image.digests)) {
    return "its references changed since the plan";
  }
  const labels = { ...image.labels, ...now.Config?.Labels };
  const taggedAtMs = now.Metadata?.LastTagTime ?? null;
  const current: InventoryImage = { ...image, labels, taggedAtMs };
  if (taggedAtMs !== image.taggedAtMs) return "it was tagged since the plan";
  return reasonToKeep(current, { usedImages }, policy, clock.nowMs());
}

function hasSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

function toName({ id, tags }: Pick<InventoryImage, "id" | "tags">): string {
  return tags.length > 0 ? `image ${tags.join(", ")}` : `dangling image ${id}`;
}
