import {
  formatBytes,
  formatPercent,
  formatTimeSpan,
  type PressureHistory,
  type PressureHistoryPoint,
  toPressureTier,
  toPrintable,
} from "@continuum/wire-types";
import { green, lightred, plot, red, yellow } from "asciichart";
import type { StatusStyle } from "./status-lines.js";
import { toColumns } from "./to-columns.js";
import type { TrendReport } from "./trend-report.js";

/** Rows of a chart, and the columns of its labels with the axis. */
const CHART_ROWS = 6;
const LABEL = 10;
/** A chart that is wider tells no more, and one that is narrower nothing. */
const MAX_COLUMNS = 80;
const MIN_COLUMNS = 10;
/** A level that hardly moved is drawn as one: the chart shows this much of the capacity, at least. */
const MIN_RANGE = 0.01;

const COLORS = { normal: green, warning: yellow, high: lightred, critical: red };

/** How pools went, for people: a sentence, a chart and its times each. */
export function trendLines({ histories, forecasts }: TrendReport, style: StatusStyle): string[] {
  if (histories.length === 0) return ["the core has no pools"];
  return histories.flatMap((history, i) => {
    const full = forecasts?.find(({ name }) => name === history.pool)?.timeToFullMs ?? null;
    return [...(i === 0 ? [] : [""]), ...poolLines(history, full, style)];
  });
}

function poolLines(history: PressureHistory, timeToFullMs: number | null, style: StatusStyle): string[] {
  const { points, resolution, truncated } = history;
  const pool = toPrintable(history.pool);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [`${pool}: nothing was kept of that time`];
  const lowest = Math.min(...points.map(({ minPressure }) => minPressure));
  const highest = Math.max(...points.map(({ maxPressure }) => maxPressure));
  const facts = [
    `${formatPercent(first.pressure)} -> ${formatPercent(last.pressure)} in ${formatTimeSpan(last.atMs - first.atMs)}`,
    `lowest ${formatPercent(lowest)}, highest ${formatPercent(highest)}`,
    `now ${formatBytes(last.usedBytes)} of ${formatBytes(last.capacityBytes)}`,
    ...(timeToFullMs === null ? [] : [`full in ${formatTimeSpan(timeToFullMs)}`]),
  ];
  return [
    `${pool}: ${facts.join("; ")}`,
    ...chartLines(points, style),
    `${points.length} points, ${resolution === "raw" ? "one a reading" : `one a ${resolution}`}${truncated ? "; the oldest were left out (--resolution)" : ""}`,
  ];
}

function chartLines(points: readonly PressureHistoryPoint[], { columns, color }: StatusStyle): string[] {
  const last = points.at(-1);
  const width = Math.min(MAX_COLUMNS, columns - LABEL);
  if (last === undefined || points.length < 2 || width < MIN_COLUMNS) return [];
  const levels = toColumns(points, width);
  const middle = (Math.min(...levels) + Math.max(...levels)) / 2;
  const chart = plot([...levels, levels.at(-1) ?? 0], {
    height: CHART_ROWS - 1,
    min: Math.max(0, middle - MIN_RANGE / 2),
    max: middle + MIN_RANGE / 2,
    format: (level) => `${(level * 100).toFixed(1)} %`.padStart(LABEL - 2),
    ...(color ? { colors: [COLORS[toPressureTier(last.pressure)]] } : {}),
  });
  const from = toTime(points[0]?.atMs ?? 0);
  const to = toTime(last.atMs);
  const axis =
    levels.length >= from.length + to.length + 2 ? from + to.padStart(levels.length - from.length) : from;
  return [...chart.split("\n").map((line) => line.trimEnd()), " ".repeat(LABEL) + axis];
}

/** UTC, to the minute. */
function toTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
}
