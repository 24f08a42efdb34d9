import type { InventoryImage } from "./docker-inventory.js";
import { repositoryOf } from "./reference-pattern.js";

/** Images by the repositories of their names, with tag or digest, the newest first; of an unknown time counts as new. */
export type ImagesByRepository = ReadonlyMap<string, readonly InventoryImage[]>;

/** Sorts images into the repositories of their names; one with several is in each. */
export function toImagesByRepository(images: readonly InventoryImage[]): ImagesByRepository {
  const members = new Map<string, InventoryImage[]>();
  for (const image of images) {
    for (const repository of new Set([...image.tags, ...image.digests].map(repositoryOf))) {
      const there = members.get(repository);
      if (there === undefined) members.set(repository, [image]);
      else there.push(image);
    }
  }
  const builtAtMs = ({ createdAtMs }: InventoryImage): number => createdAtMs ?? Number.MAX_SAFE_INTEGER;
  for (const there of members.values()) {
    there.sort((a, b) => builtAtMs(b) - builtAtMs(a) || (a.id < b.id ? -1 : 1));
  }
  return members;
}

/** For each image that is among the newest so many of a repository, that repository. */
export function newestOfRepositories(
  byRepository: ImagesByRepository,
  count: number,
): ReadonlyMap<string, string> {
  const newest = new Map<string, string>();
  if (count <= 0) return newest;
  for (const repository of [...byRepository.keys()].sort()) {
    const members = byRepository.get(repository) ?? [];
    for (const { id } of members.slice(0, count)) if (!newest.has(id)) newest.set(id, repository);
  }
  return newest;
}

/** Images of which each repository that has them has a newer one. */
export function supersededImages(byRepository: ImagesByRepository): ReadonlySet<string> {
  const latest = new Set<string>();
  const older = new Set<string>();
  for (const members of byRepository.values()) {
    members.forEach(({ id }, i) => (i === 0 ? latest : older).add(id));
  }
  return new Set([...older].filter((id) => !latest.has(id)));
}
