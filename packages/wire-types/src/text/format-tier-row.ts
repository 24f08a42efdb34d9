import type { PressureTier } from "../gen/paging/PressureTier.js";
import type { PressureTrend } from "../gen/paging/PressureTrend.js";
import { formatBytes } from "./format-bytes.js";
import { formatPercent } from "./format-percent.js";
import { formatTimeSpan } from "./format-time-span.js";

/** One tier as a status row shows it. */
export interface TierRow {
  readonly name: string;
  readonly detected: boolean;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly pressure: number;
  readonly tier: PressureTier;
  readonly trend: PressureTrend | null;
  /** How long until it is full, in ms; not shown where that isn't known. */
  readonly timeToFullMs?: number | null;
}

/** Widths in columns; `color` writes ANSI colours. */
export interface TierRowStyle {
  readonly nameWidth: number;
  readonly barWidth: number;
  readonly color: boolean;
  /** The row is no wider, as far as possible: the trend goes first, then the bytes, then the time to full. No limit when left out. */
  readonly maxWidth?: number;
}

const ansi: Record<PressureTier, string> = {
  normal: "\u001b[32m",
  warning: "\u001b[33m",
  high: "\u001b[31m",
  critical: "\u001b[1;31m",
};

/** A status row: name, bar, used / capacity, pressure, severity, how the last minute went, and when it will be full. */
export function formatTierRow(
  row: TierRow,
  { nameWidth, barWidth, color, maxWidth = Infinity }: TierRowStyle,
): string {
  const name = row.name.padEnd(nameWidth);
  if (!row.detected || row.capacityBytes === 0) return `${name}  not detected`;
  const paint = (text: string): string => (color ? `${ansi[row.tier]}${text}\u001b[0m` : text);
  const bar = barWidth > 0 ? [{ text: formatBar(row.pressure, barWidth), isPainted: true }] : [];
  const bytes = {
    text: `${formatBytes(row.usedBytes)} / ${formatBytes(row.capacityBytes)}`.padStart(21),
    isPainted: false,
  };
  const pressure = { text: formatPercent(row.pressure).padStart(6), isPainted: false };
  const severity = { text: row.tier.padEnd(8), isPainted: true };
  const trend = { text: formatTrend(row.trend), isPainted: false };
  const { timeToFullMs = null } = row;
  const full =
    timeToFullMs === null ? [] : [{ text: `full in ${formatTimeSpan(timeToFullMs)}`, isPainted: false }];
  const whole = [{ text: name, isPainted: false }, ...bar, bytes, pressure, severity, trend, ...full];
  const shorter = [
    whole,
    whole.filter((cell) => cell !== trend),
    whole.filter((cell) => cell !== trend && cell !== bytes),
    whole.filter((cell) => cell !== trend && cell !== bytes && !full.includes(cell)),
  ];
  const widthOf = (cells: typeof whole): number => cells.reduce((sum, { text }) => sum + text.length + 2, -2);
  const shown = shorter.find((cells) => widthOf(cells) <= maxWidth) ?? shorter.at(-1) ?? whole;
  return shown
    .map(({ text, isPainted }) => (isPainted ? paint(text) : text))
    .join("  ")
    .trimEnd();
}

/** A bar of `width` columns with its brackets; full at a pressure of 1 and beyond only, however short it is. */
function formatBar(pressure: number, width: number): string {
  const inner = Math.max(1, width - 2);
  const filled = pressure >= 1 ? inner : Math.min(inner - 1, Math.round(pressure * inner));
  return `[${"#".repeat(filled)}${"-".repeat(inner - filled)}]`;
}

/** How the pressure changed over the last readings, in percentage points, and over which time; `–` when it isn't known. */
function formatTrend(trend: PressureTrend | null): string {
  if (trend === null || trend.windowMs <= 0) return "–";
  const points = (trend.toPressure - trend.fromPressure) * 100;
  if (Math.abs(points) < 0.05) return "→ steady";
  const seconds = Math.max(1, Math.round(trend.windowMs / 1000));
  const time = seconds > 50 && seconds < 70 ? "1 min" : `${seconds} s`;
  return `${points > 0 ? "↗ +" : "↘ "}${points.toFixed(1)} % in ${time}`;
}
