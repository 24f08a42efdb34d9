import {
  type Clock,
  type EvictedItem,
  type EvictionRequest,
  type EvictionResult,
  PoolError,
  type PoolReading,
  type ResourcePool,
  systemClock,
  toPressure,
} from "@continuum/broker-core";
import { formatBytes, type PoolStats, type ResourcePoolEntry } from "@continuum/wire-types";
import { setImmediate } from "node:timers/promises";
import { LoadFlight, type Waiting } from "./load-flight.js";
import { LruOrder } from "./lru-order.js";
import type { DisposeReason, LoadOptions, MemoryPoolOptions } from "./memory-pool-options.js";
import type { PagedEntry } from "./paged-entry.js";
import { PagedStore } from "./paged-store.js";
import { EntryPin, type Pin } from "./pin.js";
import { SizeWeightedOrder } from "./size-weighted-order.js";
import { UseTime } from "./use-time.js";

/** So many evictions in a row before other work gets its turn. */
const EVICTIONS_PER_TURN = 5_000;

/** What a load gives those who wait: the value, and the entry where it is pinned for them. */
interface Loaded<K, V> {
  readonly value: V;
  readonly entry: PagedEntry<K, V>;
}

/**
 * A keyed cache in this process, bounded in bytes, that a broker can relieve. Callers that ask for the same key at
 * once share one load; what is pinned is never evicted.
 */
export class MemoryPagedPool<K, V extends object | string | number | bigint | boolean | symbol>
  implements ResourcePool, Disposable
{
  readonly name: string;
  readonly capacityBytes: number;
  readonly #options: MemoryPoolOptions<K, V>;
  readonly #clock: Clock;
  readonly #useTime: UseTime;
  readonly #store: PagedStore<K, V>;
  /** Loads whose value will be kept under the key. */
  readonly #flights = new Map<K, LoadFlight<V, Loaded<K, V>>>();
  /** Every load that hasn't ended, also those that nobody waits for any more. */
  readonly #inflight = new Set<LoadFlight<V, Loaded<K, V>>>();
  #hitCount = 0;
  #missCount = 0;
  #isClosed = false;

  /** Throws a RangeError for a capacity that isn't whole bytes above 0. */
  constructor(options: MemoryPoolOptions<K, V>) {
    const { name, capacityBytes, priority = "lru", clock = systemClock } = options;
    if (!Number.isSafeInteger(capacityBytes) || capacityBytes <= 0) {
      throw new RangeError(`capacityBytes must be whole bytes above 0, not ${capacityBytes}`);
    }
    this.name = name;
    this.capacityBytes = capacityBytes;
    this.#options = options;
    this.#clock = clock;
    this.#useTime = new UseTime(clock);
    const order = priority === "lru" ? new LruOrder<K, V>() : new SizeWeightedOrder<K, V>();
    this.#store = new PagedStore(capacityBytes, order, (entry, reason) => {
      this.#dispose(entry.value, entry.key, reason);
    });
  }

  /** The value under a key, as a use of it; undefined when there is none. Counts a hit or a miss. */
  find(key: K): V | undefined {
    const entry = this.#store.find(key);
    if (entry === undefined) {
      this.#missCount += 1;
      return undefined;
    }
    this.#hitCount += 1;
    this.#store.touch(entry, this.#useTime.nowMs());
    return entry.value;
  }

  /** Whether there is a value under a key; neither a use nor a lookup that is counted. */
  has(key: K): boolean {
    return this.#store.find(key) !== undefined;
  }

  /**
   * The value under a key, loaded if need be. Rejects with what `load` threw (nothing is kept then), or with a
   * PoolError `aborted`. A value that doesn't fit is given all the same, and not kept. Where values are disposed of,
   * use `acquire`: one that isn't pinned may be evicted at any time.
   */
  async get(key: K, load: (signal: AbortSignal) => V | Promise<V>, options: LoadOptions = {}): Promise<V> {
    this.#requireOpen(key, options);
    const found = this.find(key);
    return found ?? (await this.#join(key, load, false, options)).value;
  }

  /** As `get`, with the value pinned before anybody could evict it; also one that the pool doesn't keep. */
  async acquire(
    key: K,
    load: (signal: AbortSignal) => V | Promise<V>,
    options: LoadOptions = {},
  ): Promise<Pin<V>> {
    this.#requireOpen(key, options);
    if (this.find(key) !== undefined) {
      const pin = this.pin(key);
      if (pin !== null) return pin;
    }
    return this.#toPin((await this.#join(key, load, true, options)).entry);
  }

  /**
   * Keeps a value under a key in place of what was there; a load that is under way for the key isn't kept then.
   * False when it doesn't fit, or the pool is closed: nothing is under the key then, and the value is the caller's
   * (one that the pool held already, and that has grown, leaves it). The same value put again only counts as a use.
   */
  put(key: K, value: V): boolean {
    if (this.#isClosed) return false;
    const sizeBytes = this.#sizeOf(value, key);
    if (this.#flights.size > 0) this.#flights.delete(key);
    const old = this.#store.find(key);
    if (old !== undefined && Object.is(old.value, value)) {
      this.#store.touch(old, this.#useTime.nowMs());
      return old.sizeBytes === sizeBytes || this.#store.resize(old, sizeBytes, this.#mayEvict);
    }
    return this.#store.add(this.#hold(key, value, sizeBytes, 0), old, this.#mayEvict);
  }

  /** Takes a value out; one that is pinned is disposed of when it is released. False when there is none. */
  delete(key: K): boolean {
    this.#flights.delete(key);
    const entry = this.#store.find(key);
    if (entry === undefined) return false;
    this.#store.remove(entry, "deleted");
    return true;
  }

  /** Holds the value under a key; null when there is none. Neither a use nor a lookup that is counted. */
  pin(key: K): Pin<V> | null {
    const entry = this.#store.find(key);
    if (entry === undefined) return null;
    this.#store.pin(entry);
    return this.#toPin(entry);
  }

  /** The pool's figures of this moment, as the contract names them. */
  stats(): PoolStats {
    const { usedBytes, entryCount, pinnedCount, evictionCount } = this.#store;
    return {
      name: this.name,
      entryCount,
      pinnedCount,
      totalBytes: usedBytes,
      maxBytes: this.capacityBytes,
      pressure: toPressure(usedBytes, this.capacityBytes),
      hitCount: this.#hitCount,
      missCount: this.#missCount,
      evictionCount,
      inflightCount: this.#inflight.size,
    };
  }

  read(): Promise<PoolReading> {
    const { entryCount, pinnedCount, hitCount, missCount, evictionCount, inflightCount, ...bytes } =
      this.stats();
    return Promise.resolve({
      atMs: this.#clock.nowMs(),
      detected: true,
      capacityBytes: bytes.maxBytes,
      usedBytes: bytes.totalBytes,
      pressure: bytes.pressure,
      reclaimableBytes: this.#store.reclaimableBytes,
      stale: false,
      counters: { entryCount, pinnedCount, hitCount, missCount, evictionCount, inflightCount },
    });
  }

  /** Every entry, largest first; one that was replaced while it was pinned says so in its key. */
  entries(): Promise<readonly ResourcePoolEntry[]> {
    const entries = [...this.#store.all()].map((entry) => ({
      key: `${this.#keyText(entry.key)}${entry.state === "detached" ? " (replaced)" : ""}`,
      sizeBytes: entry.sizeBytes,
      pinnedCount: entry.pinCount,
      loadedAt: entry.loadedAtMs,
      lastAccessAt: entry.lastAccessAtMs,
      accessCount: entry.accessCount,
    }));
    return Promise.resolve(entries.sort((a, b) => b.sizeBytes - a.sizeBytes));
  }

  /** Frees at least `wantBytes`, least valuable first, if what isn't pinned suffices. */
  async evict({ wantBytes, signal }: EvictionRequest): Promise<EvictionResult> {
    const deleted: EvictedItem[] = [];
    let claimedBytes = 0;
    while (claimedBytes < wantBytes && !signal.aborted) {
      const entry = this.#store.evictLeast();
      if (entry === null) break;
      claimedBytes += entry.sizeBytes;
      deleted.push(toEvictedItem(this.#keyText(entry.key), entry, this.#clock.nowMs()));
      if (deleted.length % EVICTIONS_PER_TURN === 0) await setImmediate();
    }
    const shortfall = claimedBytes >= wantBytes ? null : this.#whyShort(signal);
    return { claimedBytes, deleted, wouldDelete: [], dryRun: false, shortfall };
  }

  /** Aborts what is being loaded and lets go of everything; pinned values are disposed of when they are released. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const flight of [...this.#inflight]) flight.abort();
    for (const entry of [...this.#store.all()]) {
      if (entry.state === "cached") this.#store.remove(entry, "closed");
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #join(
    key: K,
    load: (signal: AbortSignal) => V | Promise<V>,
    wantsPin: boolean,
    { signal }: LoadOptions,
  ): Promise<Loaded<K, V>> {
    const flight = this.#flights.get(key) ?? this.#takeOff(key, load);
    return flight.join({ what: `loading ${this.#keyText(key)}`, wantsPin, signal });
  }

  #takeOff(key: K, load: (signal: AbortSignal) => V | Promise<V>): LoadFlight<V, Loaded<K, V>> {
    const forget = (): void => {
      // After a put, a delete or an abort the key may have another load, or none.
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const flight: LoadFlight<V, Loaded<K, V>> = new LoadFlight(
      load,
      (value, waiting) => {
        const isCurrent = this.#flights.get(key) === flight;
        forget();
        return this.#land(key, value, waiting, isCurrent);
      },
      forget,
    );
    this.#flights.set(key, flight);
    this.#inflight.add(flight);
    void flight.ended.then(() => {
      forget();
      this.#inflight.delete(flight);
    });
    return flight;
  }

  /** Takes in what was loaded, unless the key was put or deleted meanwhile, or nobody waits any more. */
  #land(key: K, value: V, { waiting, pinning }: Waiting, isCurrent: boolean): Loaded<K, V> {
    let sizeBytes: number;
    try {
      sizeBytes = this.#sizeOf(value, key);
    } catch (error) {
      this.#dispose(value, key, "unkept");
      throw error;
    }
    if (waiting === 0) this.#dispose(value, key, "unkept");
    const entry = this.#hold(key, value, sizeBytes, pinning);
    if (isCurrent && !this.#isClosed && waiting > 0) {
      this.#store.add(entry, this.#store.find(key), this.#mayEvict);
    }
    return { value, entry };
  }

  #hold(key: K, value: V, sizeBytes: number, pins: number): PagedEntry<K, V> {
    return this.#store.hold(key, value, sizeBytes, this.#useTime.nowMs(), pins);
  }

  get #mayEvict(): boolean {
    return this.#options.whenFull !== "refuse";
  }

  #toPin(entry: PagedEntry<K, V>): Pin<V> {
    return new EntryPin(entry, this.#store);
  }

  #sizeOf(value: V, key: K): number {
    const sizeBytes = this.#options.sizeOf(value, key);
    if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0) return sizeBytes;
    throw new RangeError(`sizeOf must give whole bytes, not ${sizeBytes} for ${this.#keyText(key)}`);
  }

  #keyText(key: K): string {
    return (this.#options.keyText ?? String)(key);
  }

  #dispose(value: V, key: K, reason: DisposeReason): void {
    try {
      this.#options.dispose?.(value, key, reason);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  #requireOpen(key: K, { signal }: LoadOptions): void {
    if (this.#isClosed) {
      throw new PoolError("aborted", `loading ${this.#keyText(key)}: the pool ${this.name} is closed`);
    }
    if (signal?.aborted === true) {
      throw new PoolError("aborted", `loading ${this.#keyText(key)} was aborted`, { cause: signal.reason });
    }
  }

  #whyShort(signal: AbortSignal): string {
    if (signal.aborted) return "the eviction was aborted";
    const { pinnedCount, usedBytes } = this.#store;
    if (pinnedCount === 0) return "the pool is empty";
    return `what is left (${formatBytes(usedBytes)} in ${pinnedCount} entries) is pinned`;
  }
}

function toEvictedItem(
  key: string,
  { sizeBytes, accessCount, lastAccessAtMs }: PagedEntry<unknown, unknown>,
  nowMs: number,
): EvictedItem {
  const idleSeconds = Math.max(0, Math.round((nowMs - lastAccessAtMs) / 1000));
  const reason = `not pinned, used ${accessCount} times, last ${idleSeconds} s ago`;
  return { key, kind: "memory", expectedBytes: sizeBytes, reason };
}
