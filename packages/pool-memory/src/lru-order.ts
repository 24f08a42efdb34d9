import type { EvictionOrder } from "./eviction-order.js";
import type { PagedEntry } from "./paged-entry.js";

/** Least recently used first; every operation is O(1). */
export class LruOrder<K, V> implements EvictionOrder<K, V> {
  #newest: PagedEntry<K, V> | null = null;
  #oldest: PagedEntry<K, V> | null = null;

  add(entry: PagedEntry<K, V>): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  touch(entry: PagedEntry<K, V>): void {
    if (this.#newest === entry) return;
    this.remove(entry);
    this.add(entry);
  }

  remove(entry: PagedEntry<K, V>): void {
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    entry.older = entry.newer = null;
  }

  least(): PagedEntry<K, V> | null {
    return this.#oldest;
  }

  evicting(): void {
    // Recency alone decides here.
  }
}
