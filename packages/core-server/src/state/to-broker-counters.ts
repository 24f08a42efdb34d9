import type { BrokerCounters } from "@continuum/broker-core";

/** The counters that an earlier core kept; zeros for what isn't counters. */
export function toBrokerCounters(value: unknown): BrokerCounters {
  const { evictionsFired, bytesFreedTotal } = (value ?? {}) as Partial<Record<keyof BrokerCounters, unknown>>;
  return { evictionsFired: toCount(evictionsFired), bytesFreedTotal: toCount(bytesFreedTotal) };
}

function toCount(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0;
}
