/** When a pool is relieved and how far; all ratios of its capacity. */
export interface PoolPolicy {
  /** Below this nothing is done. */
  readonly actAbove: number;
  /** Relief aims at this. */
  readonly target: number;
  /** The least share of the capacity that one relief asks for. */
  readonly floor: number;
}

/** Compatible with the existing core. */
export const DEFAULT_POOL_POLICY: PoolPolicy = { actAbove: 0.8, target: 0.6, floor: 0.1 };

/** A policy that can't work; `field` is the setting to change. */
export class PolicyError extends RangeError {
  override readonly name = "PolicyError";

  constructor(
    readonly field: keyof PoolPolicy,
    message: string,
  ) {
    super(message);
  }
}

/** Completes a policy with the defaults and checks it; throws a PolicyError that names the field. */
export function toPoolPolicy(given: Partial<PoolPolicy> = {}): PoolPolicy {
  const policy = { ...DEFAULT_POOL_POLICY, ...given };
  for (const field of ["actAbove", "target", "floor"] as const) {
    const value = policy[field];
    if (!Number.isFinite(value) || value < 0 || value > 1) {
      throw new PolicyError(field, `${field} must be a ratio from 0 to 1, not ${value}`);
    }
  }
  for (const field of ["actAbove", "target"] as const) {
    if (policy[field] === 0)
      throw new PolicyError(field, `${field} must be above 0: no pool can be relieved below empty`);
  }
  if (policy.target >= policy.actAbove) {
    throw new PolicyError("target", `target (${policy.target}) must be below actAbove (${policy.actAbove})`);
  }
  return policy;
}

/**
 * Whole bytes that relief of a pool asks for: down to the target, and at least the floor's share of the capacity.
 * Never more than is used; 0 for a pool without capacity.
 */
export function wantedBytes(usedBytes: number, capacityBytes: number, { target, floor }: PoolPolicy): number {
  if (!(capacityBytes > 0)) return 0;
  const wanted = Math.max(usedBytes - target * capacityBytes, floor * capacityBytes, 0);
  return Math.min(Math.ceil(wanted), Math.max(0, usedBytes));
}
