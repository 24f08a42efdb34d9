import type { PagedEntry } from "./paged-entry.js";

/** The entries that may be evicted, by their worth. An entry is added and removed once; the order never looks at pins. */
export interface EvictionOrder<K, V> {
  add(entry: PagedEntry<K, V>): void;
  /** The entry was used just now. */
  touch(entry: PagedEntry<K, V>): void;
  remove(entry: PagedEntry<K, V>): void;
  /** The least valuable entry, which stays where it is; null when there is none. */
  least(): PagedEntry<K, V> | null;
  /** `least()` is about to be evicted for its worth: orders that age by that hear of it. */
  evicting(entry: PagedEntry<K, V>): void;
}
