import { PressureBroker } from "@continuum/broker-core";
import { MemoryPagedPool } from "@continuum/pool-memory";

const pages = new MemoryPagedPool<string, Buffer>({
  name: "pages",
  capacityBytes: 64_000,
  sizeOf: (page) => page.byteLength,
  priority: "lru", // or "sizeWeighted": the fewest uses per byte go first
});
const render = (signal: AbortSignal): Promise<Buffer> => {
  signal.throwIfAborted(); // aborts when everybody who waits has left
  return Promise.resolve(Buffer.alloc(16_000));
};

// However many ask at once: one load.
await Promise.all([pages.get("/", render), pages.get("/", render)]);
for (const path of ["/a", "/b", "/c"]) await pages.get(path, render);
{
  // While the pin is held nothing evicts the page.
  using home = await pages.acquire("/", render);
  const broker = new PressureBroker();
  broker.register(pages);
  await (
    await broker.relieve()
  ).done; // 100 % full: down to 60 %
  console.log(home.value.byteLength, pages.has("/a"), pages.has("/b"), pages.has("/c"));
  await broker.close();
}
const { hitCount, missCount, evictionCount, totalBytes } = pages.stats();
console.log({ hitCount, missCount, evictionCount, totalBytes });
pages.close();
