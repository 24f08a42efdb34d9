import type { EvictionOrder } from "./eviction-order.js";
import type { PagedEntry } from "./paged-entry.js";

/** Children of a place: four stand beside each other in memory, and make the heap half as deep as two. */
const WIDTH = 4;

/**
 * GreedyDual-Size-Frequency (Cherkasova 1998) with equal cost: an entry is worth its uses per byte, on top of the worth
 * of what was evicted last. So small and often used entries stay, and what isn't used any more ages out.
 *
 * A use only notes the entry's new worth, O(1): it can but have grown, so the entry goes down when it comes to the top.
 * All else is O(log n). Worths and turns stand in arrays of their own, by place: comparing them reads no entry.
 */
export class SizeWeightedOrder<K, V> implements EvictionOrder<K, V> {
  readonly #heap: PagedEntry<K, V>[] = [];
  /** What the entry at each place was worth when it was put there, and its turn; today's may be more. */
  #worths = new Float64Array(64);
  #turnsAt = new Float64Array(64);
  /** The worth of the entry that was evicted last: what came in since starts above it. */
  #inflation = 0;
  #turns = 0;

  add(entry: PagedEntry<K, V>): void {
    this.touch(entry);
    const at = this.#heap.push(entry) - 1;
    if (at === this.#worths.length) {
      this.#worths = enlarge(this.#worths);
      this.#turnsAt = enlarge(this.#turnsAt);
    }
    this.#up(entry, at);
  }

  touch(entry: PagedEntry<K, V>): void {
    entry.priority = this.#inflation + (entry.accessCount + 1) / Math.max(1, entry.sizeBytes);
    entry.turn = this.#turns += 1;
  }

  remove(entry: PagedEntry<K, V>): void {
    const at = entry.heapIndex;
    entry.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    if (!this.#up(last, at)) this.#down(last, at);
  }

  least(): PagedEntry<K, V> | null {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return null;
      if (this.#turnsAt[0] === top.turn) return top;
      this.#down(top, 0);
    }
  }

  evicting(entry: PagedEntry<K, V>): void {
    this.#inflation = Math.max(this.#inflation, entry.priority);
  }

  /** Puts an entry at a free place, or above it; whether it went up. */
  #up(entry: PagedEntry<K, V>, from: number): boolean {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 2;
      if (!this.#isMore(above, entry.priority, entry.turn)) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(entry, at);
    return at !== from;
  }

  /** Puts an entry at a free place, or below it. */
  #down(entry: PagedEntry<K, V>, from: number): void {
    let at = from;
    for (;;) {
      const first = WIDTH * at + 1;
      const end = Math.min(first + WIDTH, this.#heap.length);
      let least = -1;
      let worth = entry.priority;
      let turn = entry.turn;
      for (let child = first; child < end; child += 1) {
        if (this.#isMore(child, worth, turn)) continue;
        least = child;
        worth = this.#worths[child] ?? 0;
        turn = this.#turnsAt[child] ?? 0;
      }
      if (least === -1) break;
      this.#move(least, at);
      at = least;
    }
    this.#put(entry, at);
  }

  /** Whether what stands at a place is worth more; of equal worth, whether it was used later. */
  #isMore(at: number, worth: number, turn: number): boolean {
    const theirs = this.#worths[at] ?? 0;
    return theirs > worth || (theirs === worth && (this.#turnsAt[at] ?? 0) >= turn);
  }

  #move(from: number, to: number): void {
    const entry = this.#heap[from];
    if (entry === undefined) return;
    this.#heap[to] = entry;
    this.#worths[to] = this.#worths[from] ?? 0;
    this.#turnsAt[to] = this.#turnsAt[from] ?? 0;
    entry.heapIndex = to;
  }

  #put(entry: PagedEntry<K, V>, at: number): void {
    this.#heap[at] = entry;
    this.#worths[at] = entry.priority;
    this.#turnsAt[at] = entry.turn;
    entry.heapIndex = at;
  }
}

function enlarge(from: Float64Array): Float64Array<ArrayBuffer> {
  const to = new Float64Array(2 * from.length);
  to.set(from);
  return to;
}
