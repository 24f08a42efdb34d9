import type { InventoryImage } from "./inventory.js";

/**
 * For each image, the image that holds the most of its layers from the base up (all of that one's layers are the first
 * of this one's): deleting it frees nothing while this one stays. Of images with the same layers, the one with the
 * smaller id is the base of the other. The engine knows such a relation only for images of its older builder.
 */
export function layerBases(images: readonly InventoryImage[]): ReadonlyMap<string, string> {
  const chains = new Map<string, number>();
  const chainOf = (below: number, layer: string): number => {
    const key = `${below} ${layer}`;
    const known = chains.get(key) ?? chains.size + 1;
    chains.set(key, known);
    return known;
  };
  const chainsOf = images.map(({ layers }) => {
    const own: number[] = [];
    for (const layer of layers) own.push(chainOf(own.at(-1) ?? 0, layer));
    return own;
  });
  const owners = new Map<number, string[]>();
  images.forEach(({ id }, i) => {
    const whole = chainsOf[i]?.at(-1);
    if (whole !== undefined) owners.set(whole, [...(owners.get(whole) ?? []), id].sort());
  });
  const bases = new Map<string, string>();
  images.forEach(({ id }, i) => {
    const own = chainsOf[i] ?? [];
    const twins = owners.get(own.at(-1) ?? 0) ?? [];
    const twin = twins[twins.indexOf(id) - 1];
    const below = own.slice(0, -1).findLast((chain) => owners.has(chain));
    const base = twin ?? owners.get(below ?? 0)?.at(-1);
    if (base !== undefined) bases.set(id, base);
  });
  return bases;
}
