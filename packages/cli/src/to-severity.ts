import type { PressureTier } from "@continuum/wire-types";

/** The severity of a pressure, for a tier that the broker doesn't show: the contract's bounds. */
export function toSeverity(pressure: number): PressureTier {
  if (pressure >= 0.95) return "critical";
  if (pressure >= 0.8) return "high";
  return pressure >= 0.6 ? "warning" : "normal";
}
