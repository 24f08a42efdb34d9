import type { PressureTier } from "@continuum/wire-types";

/** Where each severity begins, as ratios: normal < 0.60 <= warning < 0.80 <= high < 0.95 <= critical. */
export const PRESSURE_TIER_STARTS = { warning: 0.6, high: 0.8, critical: 0.95 } as const;

/** `used / capacity`, never clamped: a broken cap stays visible. 0 when the capacity is 0; always finite. */
export function toPressure(usedBytes: number, capacityBytes: number): number {
  if (!(capacityBytes > 0)) return 0;
  const pressure = usedBytes / capacityBytes;
  return Number.isFinite(pressure) ? pressure : 0;
}

/** The severity of a pressure. */
export function toPressureTier(pressure: number): PressureTier {
  if (pressure >= PRESSURE_TIER_STARTS.critical) return "critical";
  if (pressure >= PRESSURE_TIER_STARTS.high) return "high";
  return pressure >= PRESSURE_TIER_STARTS.warning ? "warning" : "normal";
}
