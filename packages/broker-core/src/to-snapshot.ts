import type { BrokerSnapshot, PoolView } from "@continuum/wire-types";
import { toBindingPressure, toPressureTier } from "./pressure.js";
import { NO_COUNTERS, type PoolReading } from "./resource-pool.js";

/** Counters that a snapshot carries. */
export interface BrokerCounters {
  readonly evictionsFired: number;
  readonly bytesFreedTotal: number;
}

/** The contract's view of all pools, highest pressure first; a pool without a reading shows as not under management. */
export function toSnapshot(
  pools: readonly { readonly name: string; readonly reading: PoolReading | null }[],
  counters: BrokerCounters,
): BrokerSnapshot {
  const views = pools
    .map(({ name, reading }) => toPoolView(name, reading))
    .sort((a, b) => b.pressure - a.pressure || (a.name < b.name ? -1 : 1));
  const globalPressure = views[0]?.pressure ?? 0;
  return { globalPressure, globalTier: toPressureTier(globalPressure), pools: views, ...counters };
}

function toPoolView(name: string, reading: PoolReading | null): PoolView {
  // The view's pressure is the one that decides; the stats' is of their own bytes.
  const { pressure } = toBindingPressure(reading ?? { pressure: 0 });
  const { entryCount, pinnedCount, hitCount, missCount, evictionCount, inflightCount } =
    reading?.counters ?? NO_COUNTERS;
  // In the contract's order, which is part of it; a pool's counters may come in any.
  const stats = {
    name,
    entryCount,
    pinnedCount,
    totalBytes: reading?.usedBytes ?? 0,
    maxBytes: reading?.capacityBytes ?? 0,
    pressure: reading?.pressure ?? 0,
    hitCount,
    missCount,
    evictionCount,
    inflightCount,
  };
  return { name, pressure, tier: toPressureTier(pressure), stats };
}
