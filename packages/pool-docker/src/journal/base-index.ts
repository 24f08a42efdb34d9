/** Layers of more images aren't remembered. */
const MAX_IMAGES = 20_000;

/** Which images are built on which, by their layers. Pure bookkeeping. */
export class BaseIndex {
  /** Of each image its chain of layers, and of each chain the images that consist of it. */
  readonly #chains = new Map<string, string>();
  readonly #images = new Map<string, Set<string>>();

  /** Whether asking for an image's layers would tell something new that can be remembered. */
  wants(id: string): boolean {
    return !this.#chains.has(id) && this.#chains.size < MAX_IMAGES;
  }

  /** Notes an image's layers, the lowest first; an image without any is no base of others. */
  add(id: string, layers: readonly string[]): void {
    if (!this.wants(id)) return;
    const chain = toChain(layers);
    this.#chains.set(id, chain);
    if (layers.length === 0) return;
    const there = this.#images.get(chain);
    if (there === undefined) this.#images.set(chain, new Set([id]));
    else there.add(id);
  }

  /** Forgets an image that is gone. */
  remove(id: string): void {
    const chain = this.#chains.get(id);
    if (chain === undefined) return;
    this.#chains.delete(id);
    const there = this.#images.get(chain);
    there?.delete(id);
    if (there?.size === 0) this.#images.delete(chain);
  }

  /** Forgets all images but these. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#chains.keys()) if (!ids.has(id)) this.remove(id);
  }

  /** The other images that consist of nothing but lower layers of this one, or of the same. */
  basesOf(id: string, layers: readonly string[]): readonly string[] {
    return layers
      .flatMap((_layer, i) => [...(this.#images.get(toChain(layers.slice(0, i + 1))) ?? [])])
      .filter((each) => each !== id);
  }
}

function toChain(layers: readonly string[]): string {
  return layers.join(" ");
}
