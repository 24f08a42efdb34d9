import type { PressureTier } from "./gen/paging/PressureTier.js";

/** Where each severity begins, as ratios: normal < 0.60 <= warning < 0.80 <= high < 0.95 <= critical. */
const STARTS = { warning: 0.6, high: 0.8, critical: 0.95 } as const;

/** The severity of a pressure. */
export function toPressureTier(pressure: number): PressureTier {
  if (pressure >= STARTS.critical) return "critical";
  if (pressure >= STARTS.high) return "high";
  return pressure >= STARTS.warning ? "warning" : "normal";
}
