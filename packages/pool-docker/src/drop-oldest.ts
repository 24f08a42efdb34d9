/** Keeps the newest `max` of a map or a set, by when they were put in; gives the keys that went. */
export function dropOldest<K>(
  kept: { readonly size: number; keys(): Iterable<K>; delete(key: K): boolean },
  max: number,
): readonly K[] {
  const dropped: K[] = [];
  for (const oldest of kept.keys()) {
    if (kept.size <= max) break;
    kept.delete(oldest);
    dropped.push(oldest);
  }
  return dropped;
}
