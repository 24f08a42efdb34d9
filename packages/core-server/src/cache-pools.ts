import type { Clock } from "@continuum/broker-core";
import {
  type CacheDeletion,
  type CacheLedger,
  CacheRootError,
  DirectoryCachePool,
} from "@continuum/pool-directory";
import { formatBytes } from "@continuum/wire-types";
import type { Logger } from "pino";
import type { CoreConfig } from "./config/core-config.js";
import { CoreError } from "./core-error.js";

/** What the name of each cache's pool begins with. */
export const CACHE_POOL_PREFIX = "cache-";

/** The pools of the configured cache directories; throws a CoreError `usage` for a directory that can't be one. */
export function createCachePools(
  { caches, cacheEvict, cacheMinAgeMs, cacheKeep }: CoreConfig,
  { clock, log, ledger }: { readonly clock: Clock; readonly log: Logger; readonly ledger: CacheLedger },
): readonly DirectoryCachePool[] {
  const pools = caches.map(({ name, path, maxBytes }) => {
    const poolLog = log.child({ module: "cache", cache: name });
    try {
      return new DirectoryCachePool({
        name: `${CACHE_POOL_PREFIX}${name}`,
        root: path,
        maxBytes,
        evict: cacheEvict,
        minAgeMs: cacheMinAgeMs,
        keep: cacheKeep,
        clock,
        ledger: {
          append: (deletion) => {
            logDeletion(poolLog, deletion);
            return ledger.append(deletion);
          },
        },
        onEvent: (message, error) => poolLog.warn(error === null ? {} : { err: error }, message),
      });
    } catch (error) {
      if (!(error instanceof CacheRootError)) throw error;
      throw new CoreError("usage", `--cache-dir: ${name}: ${error.message}`, { cause: error });
    }
  });
  refuseNested(pools);
  return pools;
}

function logDeletion(log: Logger, deletion: CacheDeletion): void {
  const { path, outcome, expectedBytes, restoreCommand } = deletion;
  const back = restoreCommand === null ? "" : `; ${restoreCommand} brings it back`;
  const what = outcome === "deleted" ? "deleted" : "about to delete";
  log.info({ deletion }, `${what} ${path} (${formatBytes(expectedBytes)})${back}`);
}

/** What is in two caches would be counted, and judged, twice. */
function refuseNested(pools: readonly DirectoryCachePool[]): void {
  for (const inner of pools) {
    const outer = pools.find((other) => other !== inner && `${inner.root}/`.startsWith(`${other.root}/`));
    if (outer === undefined) continue;
    const message = `--cache-dir: got ${inner.root} and ${outer.root}, expected directories that aren't within each other`;
    throw new CoreError("usage", message);
  }
}
