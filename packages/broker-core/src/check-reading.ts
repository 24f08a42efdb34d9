import { PoolError } from "./pool-error.js";
import { toPressure } from "./pressure.js";
import type { PoolCounters, PoolReading } from "./resource-pool.js";

const counterNames: readonly (keyof PoolCounters)[] = [
  "entryCount",
  "pinnedCount",
  "hitCount",
  "missCount",
  "evictionCount",
  "inflightCount",
];

const inodeNames = ["usedInodes", "capacityInodes"] as const;
const figureNames = ["capacityBytes", "usedBytes", "atMs"] as const;

/** How far a pressure may be from `used / capacity`: a pool may divide in another order, no more. */
const ROUNDING = 1e-9;

/** Gives a reading back if its figures can be true; throws a PoolError `protocol` for one that can't. */
export function checkReading(name: string, reading: PoolReading): PoolReading {
  for (const field of figureNames) {
    const value = reading[field];
    if (!Number.isSafeInteger(value) || value < 0) refuse(name, field, value);
  }
  const { reclaimableBytes = null } = reading;
  if (reclaimableBytes !== null && (!Number.isSafeInteger(reclaimableBytes) || reclaimableBytes < 0)) {
    refuse(name, "reclaimableBytes", reclaimableBytes);
  }
  const { inodes } = reading;
  if (inodes) {
    for (const field of inodeNames) {
      const value = inodes[field];
      if (!Number.isSafeInteger(value) || value < 0) refuse(name, field, value);
    }
  }
  const { pressure, usedBytes, capacityBytes } = reading;
  const expected = toPressure(usedBytes, capacityBytes);
  // Written so that NaN is refused too. A pressure of another moment than the bytes could hide a full pool.
  if (!(Math.abs(pressure - expected) <= ROUNDING * Math.max(1, expected)))
    refuse(name, "pressure", pressure);
  for (const field of counterNames) {
    const value = reading.counters[field];
    if (!Number.isSafeInteger(value) || value < 0) refuse(name, field, value);
  }
  return reading;
}

function refuse(name: string, field: string, value: unknown): never {
  throw new PoolError("protocol", `pool ${name} gave an impossible reading: ${field} is ${String(value)}`);
}
