import type { PoolRelief } from "@continuum/wire-types";
import { isBackingOff } from "./back-off.js";
import type { PoolSlot } from "./pool-slot.js";

/** Where a pool's relief stands, with its monotonic times as those of the wall clock. */
export function toPoolRelief(
  { pool, reading, backOff, relief, lastDecision }: PoolSlot,
  isEvicting: boolean,
  now: { readonly atMs: number; readonly monotonicMs: number },
): PoolRelief {
  const isWaiting = isBackingOff(backOff, now.monotonicMs);
  const isCooling = !relief.isRelieving && now.monotonicMs < relief.coolUntilMs;
  const waitsUntilMs = isWaiting ? backOff.notBeforeMs : isCooling ? relief.coolUntilMs : null;
  const state = ((): PoolRelief["state"] => {
    if (isEvicting) return "evicting";
    if (reading === null || !reading.detected) return "undetected";
    if (reading.stale) return "stale";
    if (isWaiting) return backOff.failedRounds > 0 ? "backingOff" : "ineffective";
    if (relief.isRelieving) return "relieving";
    return isCooling ? "coolingDown" : "idle";
  })();
  return {
    name: pool.name,
    state,
    roundsInRelief: relief.rounds,
    freedBytesInRelief: relief.freedBytes,
    ineffectiveRounds: backOff.ineffectiveRounds,
    notBeforeMs: waitsUntilMs === null ? null : Math.round(now.atMs + waitsUntilMs - now.monotonicMs),
    lastDecision,
  };
}
