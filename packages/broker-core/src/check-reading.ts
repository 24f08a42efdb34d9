import { PoolError } from "./pool-error.js";
import type { PoolCounters, PoolReading } from "./resource-pool.js";

const counterNames: readonly (keyof PoolCounters)[] = [
  "entryCount",
  "pinnedCount",
  "hitCount",
  "missCount",
  "evictionCount",
  "inflightCount",
];

/** Gives a reading back if its figures can be true; throws a PoolError `protocol` for one that can't. */
export function checkReading(name: string, reading: PoolReading): PoolReading {
  const refuse = (field: string, value: unknown): never => {
    throw new PoolError("protocol", `pool ${name} gave an impossible reading: ${field} is ${String(value)}`);
  };
  for (const field of ["capacityBytes", "usedBytes", "atMs"] as const) {
    const value = reading[field];
    if (!Number.isSafeInteger(value) || value < 0) refuse(field, value);
  }
  if (!Number.isFinite(reading.pressure) || reading.pressure < 0) refuse("pressure", reading.pressure);
  for (const field of counterNames) {
    const value = reading.counters[field];
    if (!Number.isSafeInteger(value) || value < 0) refuse(field, value);
  }
  return reading;
}
