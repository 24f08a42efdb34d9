import { type BackOff, isBackingOff } from "./back-off.js";
import { type PoolPolicy, wantedBytes } from "./pool-policy.js";
import { toBindingPressure, toPressureTier } from "./pressure.js";
import type { ReliefProgress } from "./relief-progress.js";
import type { PoolReading } from "./resource-pool.js";

/** What the decision needs of one pool. */
export interface ReliefCandidate {
  readonly name: string;
  /** The newest reading; null when there never was one. */
  readonly reading: PoolReading | null;
  readonly policy: PoolPolicy;
  readonly backOff: BackOff;
  readonly relief: ReliefProgress;
  readonly isEvicting: boolean;
  /** Whether that eviction has outlived its deadline: nobody waits for it any more. */
  readonly isOverdue?: boolean;
}

/** Why a pool isn't relieved in a round. */
export type InactionReason =
  | "unread"
  | "undetected"
  | "stale"
  | "belowThreshold"
  | "notTheWorst"
  | "evicting"
  | "backingOff"
  | "coolingDown"
  | "nothingReclaimable";

/** What a round asks a pool to free; one of the two at least is above 0. */
export interface WantedRelief {
  readonly wantBytes: number;
  /** 0 unless inodes run out. */
  readonly wantInodes: number;
}

/** What a round does with one pool. */
export type ReliefDecision =
  | ({ readonly name: string; readonly action: "evict"; readonly reading: PoolReading } & WantedRelief)
  | { readonly name: string; readonly action: "none"; readonly reason: InactionReason };

/**
 * Decides a round. A relief begins at a pool's `actAbove`, not below, and goes on down to its `stopBelow`. While the
 * highest pressure isn't critical only the worst pool is relieved; once it is, every pool that is due is. Equal pressures
 * go by name.
 *
 * The worst is chosen among the hot pools that may be relieved now: one that is stuck would keep every other from relief
 * for as long as it is stuck. One that is evicting still is the worst, and nobody else loses cache in its stead, until
 * its eviction has outlived its deadline.
 * Stale readings decide nothing, the severity included.
 */
export function decideRelief(
  candidates: readonly ReliefCandidate[],
  monotonicMs: number,
): readonly ReliefDecision[] {
  let highest = 0;
  const able: ReliefCandidate[] = [];
  for (const candidate of candidates) {
    const { reading } = candidate;
    if (reading === null || !isActionable(reading)) continue;
    highest = Math.max(highest, pressureOf(reading));
    if (holdsBack(candidate, reading, monotonicMs) === null) able.push(candidate);
  }
  const isCritical = toPressureTier(highest) === "critical";
  const worst = isCritical ? null : worstOf(able);
  const due = new Set(isCritical ? able : []);
  if (worst !== null) due.add(worst);
  return candidates.map((candidate): ReliefDecision => {
    const { name, reading } = candidate;
    const reason = inactionReason(candidate, due.has(candidate), monotonicMs);
    if (reason !== null || reading === null) return { name, action: "none", reason: reason ?? "unread" };
    return { name, action: "evict", ...toWantedRelief(candidate, reading), reading };
  });
}

/**
 * What relief of a pool asks for by this reading: what is short, bytes or inodes, down to the target, but no more than can
 * be reclaimed. The floor counts for the first round only. Null when by this reading no relief is due.
 */
export function wantedRelief(
  candidate: Pick<ReliefCandidate, "policy" | "relief">,
  reading: PoolReading,
): WantedRelief | null {
  if (!isActionable(reading) || !isHot(candidate, reading)) return null;
  const wanted = toWantedRelief(candidate, reading);
  return wanted.wantBytes > 0 || wanted.wantInodes > 0 ? wanted : null;
}

function pressureOf(reading: PoolReading): number {
  return toBindingPressure(reading).pressure;
}

function worstOf(able: readonly ReliefCandidate[]): ReliefCandidate | null {
  let worst: ReliefCandidate | null = null;
  let highest = -1;
  for (const candidate of able) {
    const pressure = candidate.reading === null ? -1 : pressureOf(candidate.reading);
    if (pressure > highest || (pressure === highest && worst !== null && candidate.name < worst.name)) {
      worst = candidate;
      highest = pressure;
    }
  }
  return worst;
}

function toWantedRelief(
  { policy, relief }: Pick<ReliefCandidate, "policy" | "relief">,
  { usedBytes, capacityBytes, pressure, inodes, reclaimableBytes }: PoolReading,
): WantedRelief {
  const aim = { target: policy.target, floor: relief.isRelieving ? 0 : policy.floor };
  const threshold = relief.isRelieving ? policy.stopBelow : policy.actAbove;
  const isShort = inodes && toBindingPressure({ pressure: 0, inodes }).pressure >= threshold;
  const wantInodes = isShort ? wantedBytes(inodes.usedInodes, inodes.capacityInodes, aim) : 0;
  const wantBytes =
    pressure >= threshold || wantInodes === 0 ? wantedBytes(usedBytes, capacityBytes, aim) : 0;
  return { wantBytes: Math.min(wantBytes, reclaimableBytes ?? Infinity), wantInodes };
}

function isActionable({ detected, capacityBytes, stale }: PoolReading): boolean {
  return detected && capacityBytes > 0 && !stale;
}

/** Whether a relief is due by the pressure alone: to begin at the start threshold, to go on above the stop threshold. */
function isHot(
  { policy, relief }: Pick<ReliefCandidate, "policy" | "relief">,
  reading: PoolReading,
): boolean {
  const pressure = pressureOf(reading);
  return pressure >= policy.actAbove || (relief.isRelieving && pressure > policy.stopBelow);
}

/** Why a pool with a usable reading can't be relieved now; null when it can, or is being relieved. */
function holdsBack(
  candidate: ReliefCandidate,
  reading: PoolReading,
  monotonicMs: number,
): InactionReason | null {
  const { backOff, relief, isEvicting, isOverdue = false } = candidate;
  if (!isHot(candidate, reading)) return "belowThreshold";
  if (isEvicting) return isOverdue ? "evicting" : null;
  if (isBackingOff(backOff, monotonicMs)) return "backingOff";
  const isCooling = !relief.isRelieving && monotonicMs < relief.coolUntilMs;
  return isCooling && toPressureTier(pressureOf(reading)) !== "critical" ? "coolingDown" : null;
}

function inactionReason(
  candidate: ReliefCandidate,
  isDue: boolean,
  monotonicMs: number,
): InactionReason | null {
  const { reading, isEvicting } = candidate;
  if (reading === null) return "unread";
  if (!reading.detected || reading.capacityBytes <= 0) return "undetected";
  if (reading.stale) return "stale";
  const reason = holdsBack(candidate, reading, monotonicMs);
  if (reason !== null) return reason;
  if (isEvicting) return "evicting";
  if (!isDue) return "notTheWorst";
  return wantedRelief(candidate, reading) === null ? "nothingReclaimable" : null;
}
