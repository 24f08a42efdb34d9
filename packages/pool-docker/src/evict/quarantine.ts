import { PoolError } from "@continuum/broker-core";
import type { InventoryImage } from "../plan/docker-inventory.js";
import { repositoryOf } from "../plan/reference-pattern.js";

/** What taking names from an image needs of an engine. */
export interface TaggingEngine {
  tag(image: string, reference: string, signal?: AbortSignal): Promise<void>;
  imageRemove(image: string, signal?: AbortSignal): Promise<readonly string[]>;
}

type NamedImage = Pick<InventoryImage, "id" | "tags" | "digests">;

/** The tags of images that are about to be deleted begin so. */
const PREFIX = "continuum-evicting-";

/** Whether a reference is one that only an eviction gives. */
export function isQuarantineTag(reference: string): boolean {
  return reference.slice(reference.lastIndexOf(":") + 1).startsWith(PREFIX);
}

/**
 * The tags that an image has in quarantine: one in each of its repositories, since the engine forgets the digests of a
 * repository with its last tag.
 */
export function toQuarantineTags({ id, tags }: NamedImage): readonly string[] {
  const hex = id.replace(/^sha256:/u, "").slice(0, 12);
  return [...new Set(tags.map(repositoryOf))].sort().map((repository) => `${repository}:${PREFIX}${hex}`);
}

/**
 * Takes an image's names away, so that nobody can begin to use it by name, without deleting it.
 *
 * The engine checks whether containers have an image when it deletes it, and a container counts only once it is made:
 * a run that has found its image by name and isn't that far would lose it. Whoever waits a moment after this sees it.
 * Throws a PoolError; the names are back then.
 */
export async function quarantineImage(
  engine: TaggingEngine,
  image: NamedImage,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const tag of toQuarantineTags(image)) await engine.tag(image.id, tag, signal);
    for (const tag of image.tags) await removeReference(engine, tag, signal);
  } catch (error) {
    await releaseImage(engine, image);
    throw error;
  }
}

/**
 * Gives an image back its names. Without a caller's signal: a cancelled eviction must not leave an image without them.
 * Gives the names that couldn't be given back; an image that is gone has none to be given.
 */
export async function releaseImage(engine: TaggingEngine, image: NamedImage): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const tag of image.tags) {
    try {
      await engine.tag(image.id, tag);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      if (error.code === "notFound") return [];
      missing.push(tag);
    }
  }
  // Not before it has its own names: the last one would take the image with it.
  if (missing.length < image.tags.length || image.tags.length === 0) {
    for (const tag of toQuarantineTags(image)) {
      try {
        await removeReference(engine, tag);
      } catch (error) {
        if (!(error instanceof PoolError)) throw error;
        missing.push(tag);
      }
    }
  }
  return missing;
}

/**
 * Deletes an image that is in quarantine, by its id and never by force. Throws a PoolError: `conflict` when it is in use,
 * `notFound` when it is gone already; it still is in quarantine then.
 */
export async function deleteQuarantined(
  engine: TaggingEngine,
  image: NamedImage,
  signal: AbortSignal,
): Promise<void> {
  const tags = toQuarantineTags(image);
  const repositories = new Set(tags.map(repositoryOf));
  // By id the engine deletes an image with one name and the digests beside it; more it takes for a mistake.
  for (const tag of tags.slice(1)) await removeReference(engine, tag, signal);
  const [kept = image.digests[0] ?? ""] = tags;
  for (const digest of image.digests) {
    const repository = repositoryOf(digest);
    if (!repositories.has(repository) && repository !== repositoryOf(kept)) {
      await removeReference(engine, digest, signal);
    }
  }
  await engine.imageRemove(image.id, signal);
}

/** How often the engine is asked for what it can't write down. */
const FULL_DISK_ATTEMPTS = 3;

/**
 * Deletes an image without a quarantine, where the disk is so full that the engine can't write down another name: nobody
 * can begin to use an image there either. By its id and never by force; throws a PoolError as `deleteQuarantined` does.
 *
 * On a full disk the engine (20.10) lets go of a name, fails to write that down, and says "no space left": asked again it
 * goes on from there.
 */
export async function deleteOnFullDisk(
  engine: TaggingEngine,
  image: NamedImage,
  signal: AbortSignal,
): Promise<void> {
  const [, ...others] = image.tags;
  for (const reference of [...toQuarantineTags(image), ...others]) {
    await stubbornly(() => removeReference(engine, reference, signal));
  }
  await stubbornly(() => engine.imageRemove(image.id, signal));
}

async function stubbornly<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const isFull = error instanceof PoolError && error.code === "noSpace";
      if (!isFull || attempt >= FULL_DISK_ATTEMPTS) throw error;
    }
  }
}

/** Of the images that are here, those that an eviction left in quarantine when it was killed. */
export function leftInQuarantine<T extends { readonly tags: readonly string[] }>(
  images: readonly T[],
): readonly T[] {
  return images.filter(({ tags }) => tags.some(isQuarantineTag));
}

async function removeReference(
  engine: TaggingEngine,
  reference: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await engine.imageRemove(reference, signal);
  } catch (error) {
    if (!(error instanceof PoolError && error.code === "notFound")) throw error;
  }
}
