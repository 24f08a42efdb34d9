import type { Clock } from "@continuum/broker-core";

/** Why a value left the pool. */
export type DisposeReason = "evicted" | "replaced" | "deleted" | "unkept" | "closed";

/** What a memory pool takes. */
export interface MemoryPoolOptions<K, V> {
  /** The pool's name with the broker. */
  readonly name: string;
  /** Never exceeded, pinned entries included; whole bytes above 0. */
  readonly capacityBytes: number;
  /** The bytes that a value takes up: a whole number, 0 or more. Asked once for each value that is put or loaded. */
  readonly sizeOf: (value: V, key: K) => number;
  /** What is evicted first: `lru` (the default) the least recently used, `sizeWeighted` the fewest uses per byte. */
  readonly priority?: "lru" | "sizeWeighted";
  /** What a full pool does with one more value: `evict` (the default) makes room, `refuse` doesn't keep it. */
  readonly whenFull?: "evict" | "refuse";
  /**
   * Called exactly once for each value that the pool held, when it has left it and no pin holds it any more. A value
   * that `get` loaded and the pool didn't keep belongs to its callers: it is disposed of only where all are pins.
   */
  readonly dispose?: (value: V, key: K, reason: DisposeReason) => void;
  /** A key as text, for the broker's entries; `String` by default. */
  readonly keyText?: (key: K) => string;
  /** The machine's own by default. Very many uses in one synchronous stretch of the program may share a time. */
  readonly clock?: Clock;
  /** Hears what `dispose` threw: the pool goes on. Silent by default. */
  readonly onError?: (error: unknown) => void;
}

/** How a value is looked up that may have to be loaded. */
export interface LoadOptions {
  /** Ends this caller's waiting; the load goes on for the others, and is aborted when none is left. */
  readonly signal?: AbortSignal;
}
