/** One cached value with what is known of it; owned by the pool that made it. */
export interface PagedEntry<K, V> {
  key: K;
  value: V;
  sizeBytes: number;
  /** How many pins hold it; above 0 it stands in no eviction order. */
  pinCount: number;
  loadedAtMs: number;
  lastAccessAtMs: number;
  accessCount: number;
  /** `cached`: found by its key. `detached`: replaced, deleted or never kept, and held by pins alone. `gone`: disposed. */
  state: "cached" | "detached" | "gone";
  /** For the eviction order that the entry stands in; `older` also chains what is just leaving. */
  newer: PagedEntry<K, V> | null;
  older: PagedEntry<K, V> | null;
  /** For the eviction order alone. */
  priority: number;
  turn: number;
  heapIndex: number;
}

/** A value that comes in. */
export interface Arrival<K, V> {
  readonly key: K;
  readonly value: V;
  readonly sizeBytes: number;
  readonly nowMs: number;
}

/** A new entry, not pinned and in no order. */
export function createPagedEntry<K, V>({ key, value, sizeBytes, nowMs }: Arrival<K, V>): PagedEntry<K, V> {
  return {
    key,
    value,
    sizeBytes,
    pinCount: 0,
    loadedAtMs: nowMs,
    lastAccessAtMs: nowMs,
    accessCount: 0,
    state: "detached",
    newer: null,
    older: null,
    priority: 0,
    turn: 0,
    heapIndex: -1,
  };
}
