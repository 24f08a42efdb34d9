/** When a pool is relieved and how far; all but the last are ratios of its capacity. */
export interface PoolPolicy {
  /** A relief begins at this pressure; below it none does. */
  readonly actAbove: number;
  /** A relief that has begun goes on, round by round, until the pressure is at or below this. */
  readonly stopBelow: number;
  /** Relief aims at this. */
  readonly target: number;
  /** The least share of the capacity that the first round of a relief asks for. */
  readonly floor: number;
  /** How long after a relief that succeeded no new one begins, in ms, unless the pool is critical. */
  readonly cooldownMs: number;
}

/** Compatible with the existing core; `stopBelow` lies halfway between target and start unless it is given. */
export const DEFAULT_POOL_POLICY = { actAbove: 0.8, target: 0.6, floor: 0.1, cooldownMs: 15_000 };

/** The longest cooldown: a pool that isn't relieved for longer than a day isn't cooling down. */
const MAX_COOLDOWN_MS = 86_400_000;

/** A policy that can't work; `field` is the setting to change, `expected` what it must be. */
export class PolicyError extends RangeError {
  override readonly name = "PolicyError";

  constructor(
    readonly field: keyof PoolPolicy,
    readonly expected: string,
    given: number,
  ) {
    super(`${field} must be ${expected}, not ${given}`);
  }
}

/** Completes a policy with the defaults and checks it; throws a PolicyError that names the field. */
export function toPoolPolicy(given: Partial<PoolPolicy> = {}): PoolPolicy {
  const completed = { ...DEFAULT_POOL_POLICY, ...given };
  const policy = { ...completed, stopBelow: given.stopBelow ?? (completed.actAbove + completed.target) / 2 };
  // What is given before what follows from it, so that the field to change is the one that is named.
  for (const field of ["actAbove", "target", "floor", "stopBelow"] as const) {
    const value = policy[field];
    if (!Number.isFinite(value) || value < 0 || value > 1) {
      throw new PolicyError(field, "a ratio from 0 to 1", value);
    }
  }
  for (const field of ["actAbove", "target"] as const) {
    if (policy[field] === 0)
      throw new PolicyError(field, "above 0, as no pool can be relieved below empty", policy[field]);
  }
  if (policy.target >= policy.actAbove) {
    throw new PolicyError("target", `below actAbove (${policy.actAbove})`, policy.target);
  }
  if (policy.stopBelow < policy.target || policy.stopBelow >= policy.actAbove) {
    const range = `from target (${policy.target}) to below actAbove (${policy.actAbove})`;
    throw new PolicyError("stopBelow", range, policy.stopBelow);
  }
  if (!(policy.cooldownMs >= 0 && policy.cooldownMs <= MAX_COOLDOWN_MS)) {
    throw new PolicyError("cooldownMs", `milliseconds from 0 to ${MAX_COOLDOWN_MS}`, policy.cooldownMs);
  }
  return policy;
}

/**
 * Whole bytes that relief of a pool asks for: down to the target, and at least the floor's share of the capacity.
 * Never more than is used; 0 for a pool without capacity.
 */
export function wantedBytes(
  usedBytes: number,
  capacityBytes: number,
  { target, floor }: Pick<PoolPolicy, "target" | "floor">,
): number {
  if (!(capacityBytes > 0)) return 0;
  const wanted = Math.max(usedBytes - target * capacityBytes, floor * capacityBytes, 0);
  return Math.min(Math.ceil(wanted), Math.max(0, usedBytes));
}
