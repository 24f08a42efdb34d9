import type { Clock } from "@continuum/broker-core";
import type { EngineContainer, EngineContainerDetail, EngineImageDetail } from "../engine/engine-replies.js";
import type { UseHistory } from "../journal/image-use.js";
import type { InventoryImage } from "../plan/docker-inventory.js";
import type { PlanEntry } from "../plan/eviction-plan.js";
import type { EvictionPolicy } from "../plan/eviction-policy.js";
import { keepReasonOfContainer, keepReasonOfImage, toHeldNames } from "../plan/keep-reasons.js";
import { toInventoryContainer } from "./engine-inventory.js";
import { isQuarantineTag, toQuarantineTags } from "./quarantine.js";

/** What looking again needs of an engine. */
export interface RecheckingEngine {
  imageInspect(image: string, signal?: AbortSignal): Promise<EngineImageDetail>;
  containers(signal?: AbortSignal): Promise<readonly EngineContainer[]>;
  containerInspect(id: string, signal?: AbortSignal): Promise<EngineContainerDetail>;
}

/** What it is held against. */
export interface RecheckOptions {
  readonly clock: Clock;
  readonly policy: EvictionPolicy;
  readonly uses: () => UseHistory;
  readonly digestsAreFromRegistries: boolean;
}

/**
 * Looks at an entry of a plan as it is now; gives what speaks against deleting it, null when nothing does. Throws a
 * PoolError `notFound` when it is gone.
 */
export async function recheckEntry(
  engine: RecheckingEngine,
  options: RecheckOptions,
  entry: PlanEntry,
  signal: AbortSignal,
): Promise<string | null> {
  switch (entry.kind) {
    case "image":
      return await recheckImage(engine, options, entry.image, entry.image, signal);
    case "container": {
      const now = toInventoryContainer(await engine.containerInspect(entry.id, signal));
      const { state, finishedAtMs } = entry.container;
      if (now.state !== state || now.finishedAtMs !== finishedAtMs) return "it was started since the plan";
      return keepReasonOfContainer(now, options.policy, options.clock.nowMs())?.reason ?? null;
    }
    case "buildCache":
      // The engine itself leaves what a build uses, and what anything that stays was made from.
      return null;
  }
}

/** As `recheckEntry`, of an image whose names were taken away: it must have those of the quarantine and no others. */
export function recheckQuarantined(
  engine: RecheckingEngine,
  options: RecheckOptions,
  image: InventoryImage,
  signal: AbortSignal,
): Promise<string | null> {
  const { digests } = image;
  return recheckImage(
    engine,
    options,
    image,
    { tags: toQuarantineTags(image), digests, taggedAtMs: null },
    signal,
  );
}

async function recheckImage(
  engine: RecheckingEngine,
  { policy, uses, clock, digestsAreFromRegistries }: RecheckOptions,
  image: InventoryImage,
  expected: Pick<InventoryImage, "tags" | "digests" | "taggedAtMs">,
  signal: AbortSignal,
): Promise<string | null> {
  const now = await engine.imageInspect(image.id, signal);
  // Containers last: what comes into use after this is refused by the engine itself.
  const heldNames = toHeldNames(
    (await engine.containers(signal)).map(({ Image, ImageID }) => ({ image: Image, imageId: ImageID })),
  );
  const nowTags = expected === image ? now.RepoTags.filter((tag) => !isQuarantineTag(tag)) : now.RepoTags;
  if (!hasSame(nowTags, expected.tags) || !hasSame(now.RepoDigests, expected.digests)) {
    return "its references changed since the plan";
  }
  // What the quarantine's own tags leave behind says nothing.
  const hasOwnTime = expected === image && nowTags.length === now.RepoTags.length;
  const isTagged = hasOwnTime && (now.Metadata?.LastTagTime ?? null) !== image.taggedAtMs;
  if (isTagged) return "it was tagged since the plan";
  const labels = { ...image.labels, ...now.Config?.Labels };
  const context = { heldNames, use: uses().get(image.id), digestsAreFromRegistries };
  return keepReasonOfImage({ ...image, labels }, context, policy, clock.nowMs())?.reason ?? null;
}

function hasSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}
