import {
  type DockerTierProbe,
  formatBytes,
  formatTierRow,
  type TierRow,
  toPressureTier,
  toPrintable,
} from "@continuum/wire-types";
import stringWidth from "string-width";
import { noteLines } from "./note-lines.js";
import type { StatusExtension, StatusReport } from "./status-report.js";

/** How the status is drawn. */
export interface StatusStyle {
  /** The terminal's width. */
  readonly columns: number;
  readonly color: boolean;
}

const DOCKER = "docker";
const MAX_BAR = 30;
/** A shorter bar says nothing. */
const MIN_BAR = 6;

/** The status for people: a row a tier, what was tried for one that wasn't found, what relief does, the counters, the warnings. */
export function statusLines(report: StatusReport, { columns, color }: StatusStyle): string[] {
  const rows = toRows(report);
  const nameWidth = Math.max(...rows.map(({ name }) => stringWidth(name)));
  // Padded here: formatTierRow counts characters, and some take two columns.
  const padded = rows.map((row) => ({
    ...row,
    name: row.name + " ".repeat(nameWidth - stringWidth(row.name)),
  }));
  const draw = (barWidth: number): string[] =>
    padded.map((row) => formatTierRow(row, { nameWidth: 0, barWidth, color, maxWidth: columns }));
  const bare = draw(0);
  const width = Math.max(...bare.map((line) => stringWidth(line)));
  const barWidth = Math.min(MAX_BAR, columns - width - 2);
  const { evictionsFired, bytesFreedTotal } = report.broker;
  return [
    ...(barWidth >= MIN_BAR ? draw(barWidth) : width <= columns ? bare : bare.map(squeeze)),
    ...probeLines(report.probe, report.dockerTier.detected),
    ...(report.extension === null ? [] : noteLines(report.extension, report.evict)),
    `evictions ${evictionsFired}, freed ${formatBytes(bytesFreedTotal)}`,
    ...report.warnings.map((warning) => `warning: ${warning}`),
  ];
}

/** Highest pressure first, as the broker orders them; the Docker tier always has a row. */
function toRows({ dockerTier, broker, trends, extension }: StatusReport): TierRow[] {
  const courseOf = (pool: string): Pick<TierRow, "trend" | "timeToFullMs"> => ({
    trend: trends?.find(({ name }) => name === pool) ?? null,
    timeToFullMs: extension === null ? null : timeToFullMs(extension, pool),
  });
  // The broker's pressure is above that of its bytes where inodes run out first.
  const view = broker.pools.find(({ name }) => name === DOCKER);
  const isByInodes = view !== undefined && view.pressure > view.stats.pressure;
  const pressure = isByInodes ? Math.max(view.pressure, dockerTier.pressure) : dockerTier.pressure;
  const docker: TierRow = {
    name: DOCKER,
    ...dockerTier,
    pressure,
    tier: toPressureTier(pressure),
    ...courseOf(DOCKER),
  };
  const rows = broker.pools.map(({ name, pressure, tier, stats }): TierRow => {
    if (name === DOCKER) return docker;
    const { totalBytes: usedBytes, maxBytes: capacityBytes } = stats;
    // Capacity 0 means not under management: the snapshot has no other word for it.
    const detected = capacityBytes > 0;
    return {
      name: toPrintable(name),
      detected,
      usedBytes,
      capacityBytes,
      pressure,
      tier,
      ...courseOf(name),
    };
  });
  return broker.pools.some(({ name }) => name === DOCKER) ? rows : [...rows, docker];
}

/** From now on: the reading that a forecast rests on may be a while ago. */
function timeToFullMs({ atMs, forecasts }: StatusExtension, pool: string): number | null {
  const fullAtMs = forecasts.find(({ name }) => name === pool)?.fullAtMs ?? null;
  return fullAtMs === null ? null : Math.max(0, fullAtMs - atMs);
}

function probeLines(probe: DockerTierProbe, detected: boolean): string[] {
  switch (probe.kind) {
    case "notFound":
      // A place that was tried a line: in one line nobody reads them.
      return [
        `${DOCKER}: tried ${toPrintable(probe.path)}: ${toPrintable(probe.reason).replaceAll("; ", ";\n  ")}`,
      ];
    case "unsupported":
      return [`${DOCKER}: not supported on ${toPrintable(probe.os)}: ${toPrintable(probe.reason)}`];
    case "detected":
      return detected ? [] : [`${DOCKER}: found ${toPrintable(probe.path)}, but it could not be read`];
  }
}

/** For a terminal that is too narrow even without a bar: columns don't line up, and all of it is there. */
function squeeze(line: string): string {
  return line.replace(/ {2,}/gu, " ");
}
