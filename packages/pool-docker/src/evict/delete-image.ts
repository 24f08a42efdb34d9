import { PoolError } from "@continuum/broker-core";
import type { EngineClient } from "../engine/engine-client.js";
import type { InventoryImage } from "../plan/docker-inventory.js";

type DeletingEngine = Pick<EngineClient, "imageRemove" | "tag">;

/** The repository of `repository:tag` or `repository@digest`. */
function repositoryOf(reference: string): string {
  const at = reference.indexOf("@");
  return at >= 0 ? reference.slice(0, at) : reference.slice(0, reference.lastIndexOf(":"));
}

/**
 * Which references must go before the engine lets an image be deleted by its id: all but one tag (even several tags of
 * one repository count as "multiple"), and digests of repositories other than that tag's, which go by themselves where
 * the last tag of their repository goes.
 */
export function toUntagFirst({ tags, digests }: Pick<InventoryImage, "tags" | "digests">): {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
} {
  const digestRepositories = new Set(digests.map(repositoryOf));
  const kept = tags.find((tag) => digestRepositories.has(repositoryOf(tag))) ?? tags.at(-1);
  const keptRepository = repositoryOf(kept ?? digests[0] ?? "");
  const tagRepositories = new Set(tags.map(repositoryOf));
  return {
    tags: tags.filter((tag) => tag !== kept),
    digests: digests.filter((digest) => {
      const repository = repositoryOf(digest);
      return repository !== keptRepository && !tagRepositories.has(repository);
    }),
  };
}

/**
 * Deletes an image by its id and never by force; when the engine refuses in the end, its tags are put back.
 * Throws PoolError `conflict` when it is in use, `notFound` when it is gone already.
 */
export async function deleteImage(
  engine: DeletingEngine,
  image: Pick<InventoryImage, "id" | "tags" | "digests">,
  signal: AbortSignal,
): Promise<void> {
  const { tags, digests } = toUntagFirst(image);
  const untagged: string[] = [];
  try {
    for (const tag of tags) {
      // Before the request: one that fails halfway may still have been carried out.
      untagged.push(tag);
      await removeReference(engine, tag, signal);
    }
    for (const digest of digests) await removeReference(engine, digest, signal);
    await engine.imageRemove(image.id, signal);
  } catch (error) {
    // Without the caller's signal: a cancelled eviction must not leave an image without its names.
    for (const tag of untagged) await putBack(engine, image.id, tag);
    throw error;
  }
}

async function removeReference(
  engine: DeletingEngine,
  reference: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await engine.imageRemove(reference, signal);
  } catch (error) {
    if (!(error instanceof PoolError && error.code === "notFound")) throw error;
  }
}

async function putBack(engine: DeletingEngine, id: string, tag: string): Promise<void> {
  try {
    await engine.tag(id, tag);
  } catch {
    // The image is gone after all, or the engine is: either way there is nothing left to name, or nobody to ask.
  }
}
