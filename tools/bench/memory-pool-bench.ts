import { MemoryPagedPool } from "@continuum/pool-memory";
import { LRUCache } from "lru-cache";
import { type Contender, formatTimings, timeInterleaved } from "./interleave.js";

const ENTRIES = 10_000;
const PAGE_BYTES = 100;
/** One call of a contender does so many operations. */
const BATCH = 1_000;

/** The memory pool against `lru-cache`, both bounded in bytes: hits, puts that evict, replacing puts, 10,000 entries. */
export function benchMemoryPool(): string {
  const keys = Array.from({ length: 2 * ENTRIES }, (_, i) => `key-${i}`);
  const value = { bytes: PAGE_BYTES };
  const newLru = (): LRUCache<string, object> =>
    new LRUCache({ maxSize: ENTRIES * PAGE_BYTES, sizeCalculation: () => PAGE_BYTES });
  const newPool = (priority: "lru" | "sizeWeighted"): MemoryPagedPool<string, object> =>
    new MemoryPagedPool({
      name: "bench",
      capacityBytes: ENTRIES * PAGE_BYTES,
      sizeOf: () => PAGE_BYTES,
      priority,
    });
  const fill = <T>(cache: T, put: (cache: T, key: string) => void): T => {
    for (const key of keys.slice(0, ENTRIES)) put(cache, key);
    return cache;
  };
  const lru = (): LRUCache<string, object> => fill(newLru(), (cache, key) => cache.set(key, value));
  const pool = (priority: "lru" | "sizeWeighted"): MemoryPagedPool<string, object> =>
    fill(newPool(priority), (cache, key) => cache.put(key, value));

  const scattered = Array.from({ length: BATCH }, (_, i) => keys[(i * 7919) % ENTRIES] ?? "");
  const hit: Contender[] = [
    each("lru-cache get", lru(), (cache) => scattered.forEach((key) => cache.get(key))),
    each("pool find, lru", pool("lru"), (cache) => scattered.forEach((key) => cache.find(key))),
    each("pool find, sizeWeighted", pool("sizeWeighted"), (cache) =>
      scattered.forEach((key) => cache.find(key)),
    ),
    each("pool pin and release", pool("lru"), (cache) =>
      scattered.forEach((key) => cache.pin(key)?.release()),
    ),
  ];
  let next = 0;
  // Twice as many keys as fit, in turn: each put evicts.
  const fresh = (): string => keys[(next = (next + 1) % keys.length)] ?? "";
  const repeat = (run: () => void): void => {
    for (let i = 0; i < BATCH; i += 1) run();
  };
  const evicting: Contender[] = [
    each("lru-cache set", lru(), (cache) => repeat(() => cache.set(fresh(), value))),
    each("pool put, lru", pool("lru"), (cache) => repeat(() => cache.put(fresh(), value))),
    each("pool put, sizeWeighted", pool("sizeWeighted"), (cache) => repeat(() => cache.put(fresh(), value))),
  ];
  const replacing: Contender[] = [
    each("lru-cache set", lru(), (cache) => scattered.forEach((key) => cache.set(key, { ...value }))),
    each("pool put, lru", pool("lru"), (cache) => scattered.forEach((key) => cache.put(key, { ...value }))),
    each("pool put, sizeWeighted", pool("sizeWeighted"), (cache) =>
      scattered.forEach((key) => cache.put(key, { ...value })),
    ),
  ];
  return [
    `${BATCH} operations on ${ENTRIES} entries, strings as keys; the pool also keeps times, counts and pins`,
    `hit\n${formatTimings(timeInterleaved(hit))}`,
    `put that evicts one\n${formatTimings(timeInterleaved(evicting))}`,
    `put in place of another value\n${formatTimings(timeInterleaved(replacing))}`,
  ].join("\n\n");
}

function each<T>(name: string, cache: T, run: (cache: T) => void): Contender {
  return { name, run: () => run(cache) };
}
