/**
 * Items by owner: each owner's in the order of their coming, the owners in turn. Lists, not Sets: the first item of a Set
 * gets slow to find once many before it have gone.
 */
export class FairQueue<T> {
  /** Those with items, the next one first; one that had its turn goes to the end. */
  #turns: object[] = [];
  readonly #items = new Map<object, T[]>();
  #size = 0;

  /** All items. */
  get size(): number {
    return this.#size;
  }

  /** The items of one owner. */
  sizeOf(owner: object): number {
    return this.#items.get(owner)?.length ?? 0;
  }

  /** Adds an item. */
  add(owner: object, item: T): void {
    const items = this.#items.get(owner);
    if (items === undefined) {
      this.#items.set(owner, [item]);
      this.#turns.push(owner);
    } else items.push(item);
    this.#size += 1;
  }

  /** Takes an item out; false when it isn't there. */
  delete(owner: object, item: T): boolean {
    const items = this.#items.get(owner) ?? [];
    const index = items.indexOf(item);
    if (index < 0) return false;
    items.splice(index, 1);
    this.#size -= 1;
    if (items.length === 0) {
      this.#items.delete(owner);
      this.#turns = this.#turns.filter((other) => other !== owner);
    }
    return true;
  }

  /** Takes the next item of the next owner; undefined when there is none. */
  shift(): T | undefined {
    const owner = this.#turns.shift();
    if (owner === undefined) return undefined;
    const items = this.#items.get(owner) ?? [];
    const item = items.shift();
    this.#size -= 1;
    if (items.length > 0) this.#turns.push(owner);
    else this.#items.delete(owner);
    return item;
  }
}
