import type { DisposeReason } from "./memory-pool-options.js";
import type { EvictionOrder } from "./eviction-order.js";
import { type Arrival, createPagedEntry, type PagedEntry } from "./paged-entry.js";

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

  /** A value that isn't kept, with so many pins: held outside the store until the last is released. */
  hold(value: Arrival<K, V>, pins: number): PagedEntry<K, V> {
    const entry = createPagedEntry(value);
    entry.pinCount = pins;
    return entry;
  }

  /**
   * Takes a value in, with so many pins, in place of what is under its key, if it fits beside what is pinned;
   * `mayEvict` makes room for it. What leaves is told of when the store is right again: `onGone` may call back.
   */
  add(
    arrival: Arrival<K, V>,
    { pins, mayEvict }: { readonly pins: number; readonly mayEvict: boolean },
  ): { readonly entry: PagedEntry<K, V>; readonly isKept: boolean } {
    const { key, sizeBytes } = arrival;
    const entry = this.hold(arrival, pins);
    const old = this.#cached.get(key);
    const isOldGone = old !== undefined && this.#takeOut(old, "replaced");
    const isKept = sizeBytes <= this.#room(mayEvict);
    const evicted: PagedEntry<K, V>[] = [];
    if (isKept) {
      while (sizeBytes > this.capacityBytes - this.#usedBytes) evicted.push(this.#mustTakeLeast());
      this.#cached.set(key, entry);
      entry.state = "cached";
      this.#usedBytes += sizeBytes;
      if (pins > 0) this.#pinnedCount += 1;
      else this.#enterOrder(entry);
    }
    if (isOldGone) this.#leave(old, "replaced");
    for (const each of evicted) this.#leave(each, "evicted");
    return { entry, isKept };
  }

  /** A value has another size now; false when it no longer fits, and has been taken out. */
  resize(entry: PagedEntry<K, V>, sizeBytes: number, mayEvict: boolean): boolean {
    // Pinned meanwhile: room isn't made by evicting the entry itself.
    this.pin(entry);
    const growthBytes = sizeBytes - entry.sizeBytes;
    const fits = growthBytes <= this.#room(mayEvict);
    const evicted: PagedEntry<K, V>[] = [];
    if (fits) {
      while (growthBytes > this.capacityBytes - this.#usedBytes) evicted.push(this.#mustTakeLeast());
      this.#usedBytes += growthBytes;
      entry.sizeBytes = sizeBytes;
    }
    this.unpin(entry);
    for (const each of evicted) this.#leave(each, "evicted");
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

  /** True when it left memory, too. */
  #takeOut(entry: PagedEntry<K, V>, reason: DisposeReason): boolean {
    this.#cached.delete(entry.key);
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

  #mustTakeLeast(): PagedEntry<K, V> {
    const least = this.#takeLeast();
    if (least === null) throw new Error("bytes that can be reclaimed stand in no order");
    return least;
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
