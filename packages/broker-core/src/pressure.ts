export { toPressureTier } from "@continuum/wire-types";

/** `used / capacity`, never clamped: a broken cap stays visible. 0 when the capacity is 0; always finite. */
export function toPressure(usedBytes: number, capacityBytes: number): number {
  if (!(capacityBytes > 0)) return 0;
  const pressure = usedBytes / capacityBytes;
  return Number.isFinite(pressure) ? pressure : 0;
}
