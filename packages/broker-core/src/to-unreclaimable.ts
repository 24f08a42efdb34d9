import type { PoolSlot } from "./pool-slot.js";
import { toBindingPressure, toPressureTier } from "./pressure.js";
import type { ReliefOutcome } from "./relief.js";

/** The outcome of a round that wasn't begun, because the pool says that nothing of it can be freed. */
export function toUnreclaimable({ pool, reading }: PoolSlot, atMs: number): ReliefOutcome {
  const { pressure } = toBindingPressure(reading ?? { pressure: 0 });
  return {
    pool: pool.name,
    wantBytes: 0,
    claimedBytes: 0,
    freedBytes: 0,
    measured: reading !== null,
    before: reading,
    after: reading,
    deleted: [],
    wouldDelete: [],
    attempted: false,
    superfluous: false,
    dryRun: false,
    shortfall: "nothing of it can be reclaimed",
    error: null,
    startedAtMs: atMs,
    endedAtMs: atMs,
    alert: {
      tierName: pool.name,
      pressure,
      tier: toPressureTier(pressure),
      bytesFreed: 0,
      actionTaken: false,
      atMs,
    },
  };
}
