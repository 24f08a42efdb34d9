import type { BackOff } from "./back-off.js";
import { type PoolPolicy, wantedBytes } from "./pool-policy.js";
import { toBindingPressure, toPressureTier } from "./pressure.js";
import type { PoolReading } from "./resource-pool.js";

/** What the decision needs of one pool. */
export interface ReliefCandidate {
  readonly name: string;
  /** The newest reading; null when there never was one. */
  readonly reading: PoolReading | null;
  readonly policy: PoolPolicy;
  readonly backOff: BackOff;
  readonly isEvicting: boolean;
}

/** Why a pool isn't relieved in a round. */
export type InactionReason =
  "unread" | "undetected" | "stale" | "belowThreshold" | "notTheWorst" | "evicting" | "backingOff";

/** What a round does with one pool. */
export type ReliefDecision =
  | {
      readonly name: string;
      readonly action: "evict";
      readonly wantBytes: number;
      /** 0 unless inodes run out. */
      readonly wantInodes: number;
      readonly reading: PoolReading;
    }
  | { readonly name: string; readonly action: "none"; readonly reason: InactionReason };

/**
 * Decides a round. Below its `actAbove` a pool is left alone. While the highest pressure isn't critical only the
 * worst pool is relieved; once it is, every pool at or over its `actAbove` is. Equal pressures go by name.
 *
 * The worst is chosen among the hot pools that aren't backing off: one that is stuck would keep every other from relief
 * for as long as it is stuck. One that is evicting still is the worst, and nobody else loses cache in its stead.
 * Stale readings decide nothing, the severity included.
 */
export function decideRelief(
  candidates: readonly ReliefCandidate[],
  monotonicMs: number,
): readonly ReliefDecision[] {
  const hot = candidates
    .filter(
      ({ reading, policy }) =>
        reading !== null && isActionable(reading) && pressureOf(reading) >= policy.actAbove,
    )
    .sort((a, b) => pressureOf(b.reading) - pressureOf(a.reading) || (a.name < b.name ? -1 : 1));
  const highest = Math.max(
    0,
    ...candidates.map(({ reading }) => (reading !== null && isActionable(reading) ? pressureOf(reading) : 0)),
  );
  const able = hot.filter(({ backOff }) => !isBackingOff(backOff, monotonicMs));
  const due = new Set(toPressureTier(highest) === "critical" ? able : able.slice(0, 1));
  return candidates.map((candidate): ReliefDecision => {
    const { name, reading, policy } = candidate;
    const reason = inactionReason(candidate, due.has(candidate), monotonicMs);
    if (reason !== null || reading === null) return { name, action: "none", reason: reason ?? "unread" };
    return {
      name,
      action: "evict",
      ...toWanted(reading, policy),
      reading,
    };
  });
}

function pressureOf(reading: PoolReading | null): number {
  return reading === null ? 0 : toBindingPressure(reading).pressure;
}

/** What is short is wanted, bytes or inodes; usually both aren't. */
function toWanted(
  { usedBytes, capacityBytes, pressure, inodes }: PoolReading,
  policy: PoolPolicy,
): { readonly wantBytes: number; readonly wantInodes: number } {
  const isShort = inodes && toBindingPressure({ pressure: 0, inodes }).pressure >= policy.actAbove;
  const wantInodes = isShort ? wantedBytes(inodes.usedInodes, inodes.capacityInodes, policy) : 0;
  const wantBytes =
    pressure >= policy.actAbove || wantInodes === 0 ? wantedBytes(usedBytes, capacityBytes, policy) : 0;
  return { wantBytes, wantInodes };
}

function isActionable({ detected, capacityBytes, stale }: PoolReading): boolean {
  return detected && capacityBytes > 0 && !stale;
}

function inactionReason(
  { reading, policy, backOff, isEvicting }: ReliefCandidate,
  isDue: boolean,
  monotonicMs: number,
): InactionReason | null {
  if (reading === null) return "unread";
  if (!reading.detected || reading.capacityBytes <= 0) return "undetected";
  if (reading.stale) return "stale";
  if (pressureOf(reading) < policy.actAbove) return "belowThreshold";
  if (isEvicting) return "evicting";
  if (isBackingOff(backOff, monotonicMs)) return "backingOff";
  return isDue ? null : "notTheWorst";
}

function isBackingOff({ notBeforeMs }: BackOff, monotonicMs: number): boolean {
  return monotonicMs < notBeforeMs;
}
