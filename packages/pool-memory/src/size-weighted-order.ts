import type { EvictionOrder } from "./eviction-order.js";
import type { PagedEntry } from "./paged-entry.js";

/**
 * GreedyDual-Size-Frequency (Cherkasova 1998) with equal cost: an entry is worth its uses per byte, on top of the worth
 * of what was evicted last. So small and often used entries stay, and what isn't used any more ages out. O(log n).
 */
export class SizeWeightedOrder<K, V> implements EvictionOrder<K, V> {
  readonly #heap: PagedEntry<K, V>[] = [];
  /** The worth of the entry that was evicted last: what came in since starts above it. */
  #inflation = 0;
  #turns = 0;

  add(entry: PagedEntry<K, V>): void {
    this.#weigh(entry);
    entry.heapIndex = this.#heap.push(entry) - 1;
    this.#up(entry);
  }

  touch(entry: PagedEntry<K, V>): void {
    // Its worth can only have grown.
    this.#weigh(entry);
    this.#down(entry);
  }

  remove(entry: PagedEntry<K, V>): void {
    const at = entry.heapIndex;
    const last = this.#heap.pop();
    entry.heapIndex = -1;
    if (last === undefined || last === entry) return;
    this.#put(last, at);
    this.#up(last);
    this.#down(last);
  }

  least(): PagedEntry<K, V> | null {
    return this.#heap[0] ?? null;
  }

  evicting(entry: PagedEntry<K, V>): void {
    this.#inflation = Math.max(this.#inflation, entry.priority);
  }

  #weigh(entry: PagedEntry<K, V>): void {
    entry.priority = this.#inflation + (entry.accessCount + 1) / Math.max(1, entry.sizeBytes);
    entry.turn = this.#turns += 1;
  }

  #up(entry: PagedEntry<K, V>): void {
    for (;;) {
      const above = this.#heap[(entry.heapIndex - 1) >> 1];
      if (entry.heapIndex === 0 || above === undefined || !isLess(entry, above)) return;
      this.#swap(entry, above);
    }
  }

  #down(entry: PagedEntry<K, V>): void {
    for (;;) {
      const left = this.#heap[2 * entry.heapIndex + 1];
      const right = this.#heap[2 * entry.heapIndex + 2];
      const least = right !== undefined && left !== undefined && isLess(right, left) ? right : left;
      if (least === undefined || !isLess(least, entry)) return;
      this.#swap(least, entry);
    }
  }

  #swap(a: PagedEntry<K, V>, b: PagedEntry<K, V>): void {
    const at = a.heapIndex;
    this.#put(a, b.heapIndex);
    this.#put(b, at);
  }

  #put(entry: PagedEntry<K, V>, at: number): void {
    this.#heap[at] = entry;
    entry.heapIndex = at;
  }
}

/** Of equal worth the one that was used earlier goes first. */
function isLess<K, V>(a: PagedEntry<K, V>, b: PagedEntry<K, V>): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.turn < b.turn);
}
