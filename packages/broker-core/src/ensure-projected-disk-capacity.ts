import { formatBytes, type ResourceError } from "@continuum/wire-types";

/** 95 %: exactly this much passes, one byte more is refused. */
export const DEFAULT_MAX_PRESSURE_BASIS_POINTS = 9_500;
const BASIS_POINTS = 10_000n;

/** What is asked of a tier. All byte counts are whole bytes. */
export interface ProjectedUse {
  readonly tier: string;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  /** What the work would add. */
  readonly projectedBytes: number;
  /** What was promised to others and isn't in use yet; 0 when left out. */
  readonly reservedBytes?: number;
  /** False when the tier isn't under management. */
  readonly detected?: boolean;
  readonly maxPressureBasisPoints?: number;
}

/** Work that was refused before it started; `detail` is what travels to the caller. */
export class ResourceAdmissionError extends Error {
  override readonly name = "ResourceAdmissionError";

  constructor(
    readonly detail: ResourceError,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Refuses work that would push a tier over its limit; calculated in integers, exact to the byte.
 *
 * Throws a ResourceAdmissionError: `diskCapacity` when it doesn't fit, `tierUnavailable` when the tier's capacity or
 * use isn't known. Throws a RangeError for a projection that is no whole number of bytes: that is the caller's bug.
 */
export function ensureProjectedDiskCapacity({
  tier,
  usedBytes,
  capacityBytes,
  projectedBytes,
  reservedBytes = 0,
  detected = true,
  maxPressureBasisPoints = DEFAULT_MAX_PRESSURE_BASIS_POINTS,
}: ProjectedUse): void {
  if (!isByteCount(projectedBytes))
    throw new RangeError(`projectedBytes must be whole bytes, 0 or more: ${projectedBytes}`);
  if (!isByteCount(reservedBytes))
    throw new RangeError(`reservedBytes must be whole bytes, 0 or more: ${reservedBytes}`);
  if (!isByteCount(maxPressureBasisPoints)) {
    throw new RangeError(
      `maxPressureBasisPoints must be a whole number, 0 or more: ${maxPressureBasisPoints}`,
    );
  }
  if (!detected || !isByteCount(capacityBytes) || capacityBytes === 0 || !isByteCount(usedBytes)) {
    const reason = detected ? "its capacity or use isn't known" : "it was not found on this host";
    throw new ResourceAdmissionError(
      { kind: "tierUnavailable", tier, reason },
      `the tier ${tier} can't admit anything: ${reason}`,
    );
  }
  const after = BigInt(usedBytes) + BigInt(reservedBytes) + BigInt(projectedBytes);
  if (after * BASIS_POINTS <= BigInt(capacityBytes) * BigInt(maxPressureBasisPoints)) return;
  throw new ResourceAdmissionError(
    { kind: "diskCapacity", tier, usedBytes, capacityBytes, projectedBytes, maxPressureBasisPoints },
    `${formatBytes(projectedBytes)} more don't fit on the tier ${tier}: ${formatBytes(usedBytes)} of ` +
      `${formatBytes(capacityBytes)} are used${reservedBytes === 0 ? "" : `, ${formatBytes(reservedBytes)} more are reserved`}, and at most ${maxPressureBasisPoints / 100} % may be; free space first`,
  );
}

function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
