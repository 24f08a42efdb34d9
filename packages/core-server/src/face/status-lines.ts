import {
  type BrokerSnapshot,
  formatBytes,
  formatTierRow,
  type PressureForecast,
  type PressureTrends,
} from "@continuum/wire-types";

/** How the status is drawn. */
export interface StatusStyle {
  /** The terminal's width. */
  readonly columns: number;
  readonly color: boolean;
}

const MIN_BAR = 10;
const MAX_BAR = 30;
/** What a row needs beside its name and its bar, in columns. */
const REST_WIDTH = 64;

/** The live status: a row a tier, then what the broker did. */
export function statusLines(
  snapshot: BrokerSnapshot,
  { atMs, trends }: PressureTrends,
  forecasts: readonly PressureForecast[],
  { columns, color }: StatusStyle,
): string[] {
  const nameWidth = Math.max(0, ...snapshot.pools.map(({ name }) => name.length));
  const barWidth = Math.min(MAX_BAR, columns - nameWidth - REST_WIDTH);
  // From now on: the reading that a forecast rests on may be a while ago.
  const timeToFullMs = (pool: string): number | null => {
    const fullAtMs = forecasts.find(({ name }) => name === pool)?.fullAtMs ?? null;
    return fullAtMs === null ? null : Math.max(0, fullAtMs - atMs);
  };
  const rows = snapshot.pools.map(({ name, pressure, tier, stats }) =>
    formatTierRow(
      {
        name,
        pressure,
        tier,
        usedBytes: stats.totalBytes,
        capacityBytes: stats.maxBytes,
        // Capacity 0 means not under management: the snapshot of the contract has no other word for it.
        detected: stats.maxBytes > 0,
        trend: trends.find((trend) => trend.name === name) ?? null,
        timeToFullMs: timeToFullMs(name),
      },
      { nameWidth, barWidth: barWidth < MIN_BAR ? 0 : barWidth, color, maxWidth: columns },
    ),
  );
  const { evictionsFired, bytesFreedTotal } = snapshot;
  const done = `evictions ${evictionsFired}, freed ${formatBytes(bytesFreedTotal)}; Ctrl-C stops`;
  // A line that wraps can't be taken back cleanly.
  return [...rows, done.slice(0, columns)];
}
