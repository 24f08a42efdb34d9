// Serves pools of its own to a core, as many as it is told: `pool-program.js PREFIX COUNT slow|quick MS`. Each is a cache
// that is 95 % full; a slow one never ends an eviction. Says "evicting NAME" when it is asked.
import { connectCore } from "@continuum/ipc-client";
import { servePool } from "@continuum/ipc-client/pool";
import { MemoryPagedPool } from "@continuum/pool-memory";

const [prefix = "pool", count = "1", pace = "quick", reportEveryMs = "200"] = process.argv.slice(2);
const core = connectCore();
await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const name = `${prefix}-${i}`;
    const cache = new MemoryPagedPool({ name, capacityBytes: 100_000, sizeOf: (value) => value.length });
    for (let entry = 0; entry < 95; entry += 1) cache.put(entry, "x".repeat(1_000));
    const evict = (request) => {
      console.log(`evicting ${name}`);
      return pace === "slow" ? new Promise(() => undefined) : cache.evict(request);
    };
    const onProblem = (error) => console.error(`${name}: ${String(error)}`);
    await servePool(
      core,
      { name, read: () => cache.read(), evict },
      { reportEveryMs: Number(reportEveryMs), onProblem },
    );
  }),
);
