import type { DisposeReason } from "./memory-pool-options.js";
import type { EvictionOrder } from "./eviction-order.js";
import { createPagedEntry, type PagedEntry } from "./paged-entry.js";

/** What leaves the store for good is given to this, after the store's figures are right again. */
export type OnGone<K, V> = (entry: PagedEntry<K, V>, reason: DisposeReason) => void;

/**
 * The entries of a memory pool with their bytes: never more than the capacity. Pinned entries stand in no order, so
 * that the least valuable one is always one that may go.
 */
export class PagedStore<K, V> {
  readonly #cached = new Map<K, PagedEntry<K, V>>();
  /** Replaced or deleted while pinned: no longer found, still in memory. */
  readonly #detached = new Map<PagedEntry<K, V>, DisposeReason>();
  #usedBytes = 0;
  #reclaimableBytes = 0;
  #pinnedCount = 0;
  #evictionCount = 0;
  #spare: PagedEntry<K, V> | null = null;

  constructor(
    private readonly capacityBytes: number,
    private readonly order: EvictionOrder<K, V>,
    private readonly onGone: OnGone<K, V>,
  ) {}

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes of what isn't pinned. */
  get reclaimableBytes(): number {
    return this.#reclaimableBytes;
  }

  get pinnedCount(): number {
    return this.#pinnedCount;
  }

  get evictionCount(): number {
    return this.#evictionCount;
  }

  get entryCount(): number {
    return this.#cached.size + this.#detached.size;
  }

  find(key: K): PagedEntry<K, V> | undefined {
    return this.#cached.get(key);
  }

  *all(): Iterable<PagedEntry<K, V>> {
    yield* this.#cached.values();
    yield* this.#detached.keys();
  }

  /** An entry was used. */
  touch(entry: PagedEntry<K, V>, nowMs: number): void {
    entry.accessCount += 1;
    entry.lastAccessAtMs = nowMs;
    if (entry.pinCount === 0) this.order.touch(entry);
  }

  /**
   * An entry for a value that comes in, with so many pins: held outside the store until it is added, or until the last
   * pin is released. It may be one that has left: allocating one for each value is half of what an evicting put costs.
   */
  hold(key: K, value: V, sizeBytes: number, nowMs: number, pins: number): PagedEntry<K, V> {
    const spare = this.#spare;
    if (spare === null) {
      const entry = createPagedEntry({ key, value, sizeBytes, nowMs });
      entry.pinCount = pins;
      return entry;
    }
    this.#spare = null;
    spare.key = key;
    spare.value = value;
    spare.sizeBytes = sizeBytes;
    spare.pinCount = pins;
    spare.loadedAtMs = spare.lastAccessAtMs = nowMs;
    spare.accessCount = 0;
    spare.state = "detached";
    return spare;
  }

  /**
   * Takes in an entry of `hold`, in place of what is under its key (`old`), if it fits beside what is pinned; `mayEvict`
   * makes room for it. What leaves is told of when the store is right again: `onGone` may call back. Whether it was kept.
   */
  add(entry: PagedEntry<K, V>, old: PagedEntry<K, V> | undefined, mayEvict: boolean): boolean {
    const { key, sizeBytes } = entry;
    const isOldGone = old !== undefined && this.#detach(old, "replaced");
    const isKept = sizeBytes <= this.#room(mayEvict);
    let evicted: PagedEntry<K, V> | null = null;
    if (isKept) {
      evicted = this.#makeRoom(sizeBytes);
      this.#cached.set(key, entry);
      entry.state = "cached";
      this.#usedBytes += sizeBytes;
      if (entry.pinCount > 0) this.#pinnedCount += 1;
      else this.#enterOrder(entry);
    } else if (old !== undefined) this.#cached.delete(key);
    if (isOldGone) this.#leave(old, "replaced");
    this.#leaveAll(evicted);
    if (isOldGone) this.#spareOne(old);
    return isKept;
  }

  /** A value has another size now; false when it no longer fits, and has been taken out. */
  resize(entry: PagedEntry<K, V>, sizeBytes: number, mayEvict: boolean): boolean {
    // Pinned meanwhile: room isn't made by evicting the entry itself.
    this.pin(entry);
    const growthBytes = sizeBytes - entry.sizeBytes;
    const fits = growthBytes <= this.#room(mayEvict);
    let evicted: PagedEntry<K, V> | null = null;
    if (fits) {
      evicted = this.#makeRoom(growthBytes);
      this.#usedBytes += growthBytes;
      entry.sizeBytes = sizeBytes;
    }
    this.unpin(entry);
    this.#leaveAll(evicted);
    if (!fits) this.remove(entry, "replaced");
    return fits;
  }

  /** Takes an entry out of the cache; one that is pinned stays in memory until it is released. */
  remove(entry: PagedEntry<K, V>, reason: DisposeReason): void {
    if (this.#takeOut(entry, reason)) this.#leave(entry, reason);
  }

  /** Evicts the least valuable entry that isn't pinned; null when there is none. */
  evictLeast(): PagedEntry<K, V> | null {
    const least = this.#takeLeast();
    if (least !== null) this.#leave(least, "evicted");
    return least;
  }

  pin(entry: PagedEntry<K, V>): void {
    entry.pinCount += 1;
    if (entry.pinCount > 1) return;
    this.#pinnedCount += 1;
    this.#leaveOrder(entry);
  }

  unpin(entry: PagedEntry<K, V>): void {
    entry.pinCount -= 1;
    if (entry.pinCount > 0) return;
    if (entry.state === "cached") {
      this.#pinnedCount -= 1;
      // It was in use until now: it comes back as the one that was used last.
      this.#enterOrder(entry);
      return;
    }
    const reason = this.#detached.get(entry);
    if (reason !== undefined) {
      this.#detached.delete(entry);
      this.#pinnedCount -= 1;
      this.#usedBytes -= entry.sizeBytes;
    }
    this.#leave(entry, reason ?? "unkept");
  }

  #takeOut(entry: PagedEntry<K, V>, reason: DisposeReason): boolean {
    this.#cached.delete(entry.key);
    return this.#detach(entry, reason);
  }

  /** Lets go of an entry that is found by its key no longer, or not for long; true when it left memory, too. */
  #detach(entry: PagedEntry<K, V>, reason: DisposeReason): boolean {
    if (entry.pinCount > 0) {
      entry.state = "detached";
      this.#detached.set(entry, reason);
      return false;
    }
    this.#leaveOrder(entry);
    this.#usedBytes -= entry.sizeBytes;
    return true;
  }

  #room(mayEvict: boolean): number {
    return this.capacityBytes - this.#usedBytes + (mayEvict ? this.#reclaimableBytes : 0);
  }

  /** Takes out so many that a value of this size fits; gives the first, which leads to the others by `older`. */
  #makeRoom(sizeBytes: number): PagedEntry<K, V> | null {
    let first: PagedEntry<K, V> | null = null;
    let last: PagedEntry<K, V> | null = null;
    while (sizeBytes > this.capacityBytes - this.#usedBytes) {
      const least = this.#takeLeast();
      if (least === null) throw new Error("bytes that can be reclaimed stand in no order");
      if (last === null) first = least;
      else last.older = least;
      last = least;
    }
    return first;
  }

  #leaveAll(first: PagedEntry<K, V> | null): void {
    for (let each = first; each !== null;) {
      const next = each.older;
      each.older = null;
      this.#leave(each, "evicted");
      this.#spareOne(each);
      each = next;
    }
  }

  /** Keeps an entry that left, and that no pin has ever a hold on again, for the next value; not its value. */
  #spareOne(entry: PagedEntry<K, V>): void {
    this.#spare = entry;
    // Nobody reads them before the next value's are there.
    entry.key = undefined as K;
    entry.value = undefined as V;
  }

  #takeLeast(): PagedEntry<K, V> | null {
    const least = this.order.least();
    if (least === null) return null;
    this.order.evicting(least);
    this.#leaveOrder(least);
    this.#cached.delete(least.key);
    this.#usedBytes -= least.sizeBytes;
    this.#evictionCount += 1;
    return least;
  }

  #enterOrder(entry: PagedEntry<K, V>): void {
    this.order.add(entry);
    this.#reclaimableBytes += entry.sizeBytes;
  }

  #leaveOrder(entry: PagedEntry<K, V>): void {
    this.order.remove(entry);
    this.#reclaimableBytes -= entry.sizeBytes;
  }

  #leave(entry: PagedEntry<K, V>, reason: DisposeReason): void {
    entry.state = "gone";
    this.onGone(entry, reason);
  }
}
