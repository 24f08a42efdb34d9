/** So many at once: enough to keep the threads of the file system busy, and few enough for memory. */
const BATCH = 64;

/** What `run` gives for each item, in their order; a batch at a time, all of a batch at once. */
export async function mapInBatches<T, R>(
  items: readonly T[],
  run: (item: T) => Promise<R>,
  batchSize = BATCH,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += batchSize) {
    results.push(...(await Promise.all(items.slice(from, from + batchSize).map(run))));
  }
  return results;
}
