import type { PressureTier } from "../gen/paging/PressureTier.js";
import type { PressureTrend } from "../gen/paging/PressureTrend.js";
import { formatBytes } from "./format-bytes.js";
import { formatPercent } from "./format-percent.js";

/** One tier as a status row shows it. */
export interface TierRow {
  readonly name: string;
  readonly detected: boolean;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly pressure: number;
  readonly tier: PressureTier;
  readonly trend: PressureTrend | null;
}

/** Widths in columns; `color` writes ANSI colours. */
export interface TierRowStyle {
  readonly nameWidth: number;
  readonly barWidth: number;
  readonly color: boolean;
}

const ansi: Record<PressureTier, string> = {
  normal: "\u001b[32m",
  warning: "\u001b[33m",
  high: "\u001b[31m",
  critical: "\u001b[1;31m",
};

/** A status row: name, bar, used / capacity, pressure, severity, and how the last minute went. */
export function formatTierRow(row: TierRow, { nameWidth, barWidth, color }: TierRowStyle): string {
  const name = row.name.padEnd(nameWidth);
  // A capacity of 0 means "not under management": 0 % would say that all is well.
  if (!row.detected || row.capacityBytes === 0) return `${name}  not detected`;
  const paint = (text: string): string => (color ? `${ansi[row.tier]}${text}\u001b[0m` : text);
  const bytes = `${formatBytes(row.usedBytes)} / ${formatBytes(row.capacityBytes)}`;
  const bar = barWidth > 0 ? `${paint(formatBar(row.pressure, barWidth))}  ` : "";
  return `${name}  ${bar}${bytes.padStart(21)}  ${formatPercent(row.pressure).padStart(6)}  ${paint(row.tier.padEnd(8))}  ${formatTrend(row.trend)}`;
}

/** A bar of `width` columns with its brackets; full at a pressure of 1 and beyond. */
function formatBar(pressure: number, width: number): string {
  const inner = Math.max(1, width - 2);
  const filled = Math.min(inner, Math.round(pressure * inner));
  return `[${"#".repeat(filled)}${"-".repeat(inner - filled)}]`;
}

/** Change of the pressure in percentage points per minute; `–` when it isn't known. */
function formatTrend(trend: PressureTrend | null): string {
  if (trend === null || trend.windowMs <= 0) return "–";
  const perMinute = ((trend.toPressure - trend.fromPressure) * 100 * 60_000) / trend.windowMs;
  if (Math.abs(perMinute) < 0.05) return "→ steady";
  return `${perMinute > 0 ? "↗ +" : "↘ "}${perMinute.toFixed(1)} %/min`;
}
