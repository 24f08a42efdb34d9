/** Items by owner: each owner's in the order of their coming, the owners in turn. */
export class FairQueue<T> {
  /** The first owner is the next one; one that had its turn goes to the end. Sets: an item that gives up leaves without a search. */
  readonly #owners = new Map<object, Set<T>>();
  #size = 0;

  /** All items. */
  get size(): number {
    return this.#size;
  }

  /** The items of one owner. */
  sizeOf(owner: object): number {
    return this.#owners.get(owner)?.size ?? 0;
  }

  /** Adds an item; the same one is there once. */
  add(owner: object, item: T): void {
    const items = this.#owners.get(owner);
    if (items === undefined) this.#owners.set(owner, new Set([item]));
    else if (items.has(item)) return;
    else items.add(item);
    this.#size += 1;
  }

  /** Takes an item out; false when it isn't there. */
  delete(owner: object, item: T): boolean {
    const items = this.#owners.get(owner);
    if (items?.delete(item) !== true) return false;
    this.#size -= 1;
    if (items.size === 0) this.#owners.delete(owner);
    return true;
  }

  /** Takes the next item of the next owner; undefined when there is none. */
  shift(): T | undefined {
    for (const [owner, items] of this.#owners) {
      this.#owners.delete(owner);
      for (const item of items) {
        items.delete(item);
        this.#size -= 1;
        if (items.size > 0) this.#owners.set(owner, items);
        return item;
      }
    }
    return undefined;
  }
}
