import {
  type DockerEvictionPlan,
  type DockerEvictionRun,
  type DockerTierUsage,
  type DockerUndoRun,
  formatBytes,
  formatPercent,
  toPrintable,
} from "@continuum/wire-types";
import stringWidth from "string-width";
import type { DockerReport } from "./docker-report.js";

const KIND_NAMES = {
  image: "image",
  container: "container",
  containerLog: "container log",
  volume: "volume",
  buildCache: "build cache",
} as const;
/** Of what stays, a person reads the largest. */
const SHOWN_PROTECTED = 10;

/** A report about Docker's disk for people. */
export function dockerLines(report: DockerReport): string[] {
  switch (report.kind) {
    case "usage":
      return usageLines(report.value);
    case "plan":
      return planLines(report.value);
    case "apply":
      return runLines(report.value);
    case "history":
      return historyLines(report.value);
    case "undo":
      return undoLines(report.value);
  }
}

function usageLines(usage: DockerTierUsage): string[] {
  const { reading, categories, entries, unexplainedBytes, omittedCount, journal } = usage;
  const disk = reading === null ? "not measured" : toUse(reading);
  const sums = table([
    ...categories.map(({ kind, bytes, count, unknownCount }) => [
      KIND_NAMES[kind],
      toSize(bytes),
      count === null ? "" : `${count}`,
      unknownCount === 0 ? "" : `${unknownCount} of unknown size`,
    ]),
    ["unexplained", toSize(unexplainedBytes), "", ""],
  ]);
  const rows = entries.map((entry) => [
    toSize(entry.sizeBytes),
    entry.uniqueBytes === null ? "" : `${formatBytes(entry.uniqueBytes)} its own`,
    KIND_NAMES[entry.kind],
    entry.inUse === true ? "in use" : entry.inUse === false ? "unused" : "",
    entry.lastUsedAtMs === null ? "" : `last used ${toTime(entry.lastUsedAtMs)}`,
    toPrintable(entry.name),
  ]);
  const since =
    journal.watchedSinceMs === null ? "not watched" : `watched since ${toTime(journal.watchedSinceMs)}`;
  return [
    `docker: ${disk}; gathered ${toAge(usage.ageMs)} ago`,
    ...sums,
    "",
    ...table(rows),
    ...(omittedCount > 0 ? [`and ${omittedCount} smaller ones (--limit)`] : []),
    `uses of images: ${since}${journal.durable ? "" : ", kept in memory only"}`,
    ...[usage.error, journal.problem].flatMap((each) =>
      each === null ? [] : [`warning: ${toPrintable(each)}`],
    ),
  ];
}

function toUse(reading: NonNullable<DockerTierUsage["reading"]>): string {
  const { usedBytes, capacityBytes, pressure, inodePressure, binds, stale, path } = reading;
  const bytes = `${formatBytes(usedBytes)} of ${formatBytes(capacityBytes)} used (${formatPercent(pressure)})`;
  const inodes = inodePressure === null ? "" : `, inodes ${formatPercent(inodePressure)}`;
  const binding = binds === "inodes" ? ": inodes run out first" : "";
  return `${toPrintable(path)}: ${bytes}${inodes}${binding}${stale ? " (an earlier reading)" : ""}`;
}

function planLines(plan: DockerEvictionPlan): string[] {
  const { planId, policy, entries, expectedBytes, wantBytes, shortfallBytes, protectedEntries } = plan;
  const pressures = `${formatPercent(plan.pressure)} -> ${formatPercent(plan.expectedPressure)}`;
  const rows = entries.map((entry) => [
    `${entry.position + 1}`,
    formatBytes(entry.expectedBytes),
    KIND_NAMES[entry.kind],
    toPrintable(entry.name),
    toPrintable(entry.reason),
  ]);
  const hidden = plan.protectedCount - Math.min(SHOWN_PROTECTED, protectedEntries.length);
  const stays = protectedEntries
    .slice(0, SHOWN_PROTECTED)
    .map(({ kind, name, sizeBytes, reason }) => [
      toSize(sizeBytes),
      KIND_NAMES[kind],
      toPrintable(name),
      toPrintable(reason),
    ]);
  return [
    `plan ${planId} (${policy}): frees ${formatBytes(expectedBytes)} of ${formatBytes(wantBytes)} wanted, ${pressures}`,
    ...table(rows),
    ...(shortfallBytes > 0
      ? [`${formatBytes(shortfallBytes)} short: nothing more may go under ${policy}`]
      : []),
    ...(stays.length > 0 ? ["stays:", ...table(stays)] : []),
    ...(hidden > 0 ? [`and ${hidden} more that stay (--json)`] : []),
    entries.length > 0
      ? `nothing is deleted yet; within 15 min: continuum apply ${planId}`
      : "there is nothing to do",
  ];
}

function runLines(run: DockerEvictionRun): string[] {
  const rows = run.outcomes.map(({ outcome, kind, name, measuredBytes, detail }) => [
    outcome,
    measuredBytes === null ? "" : formatBytes(Math.max(0, measuredBytes)),
    KIND_NAMES[kind],
    toPrintable(name),
    toPrintable(detail ?? ""),
  ]);
  const freed = formatBytes(Math.max(0, run.measuredBytes));
  return [
    ...table(rows),
    ...(run.note === null ? [] : [toPrintable(run.note)]),
    `eviction ${run.evictionId}: ${run.state}, freed ${freed}`,
    run.state === "running"
      ? `it goes on: continuum history --eviction ${run.evictionId}`
      : `to take it back: continuum undo ${run.evictionId}`,
  ];
}

type HistoryReport = Extract<DockerReport, { kind: "history" }>["value"];

function historyLines({ records, nextBeforeSequence, durable, caches }: HistoryReport): string[] {
  const docker = records.map((record) => [
    toTime(record.atMs),
    record.outcome,
    record.measuredBytes === null ? "" : formatBytes(Math.max(0, record.measuredBytes)),
    KIND_NAMES[record.kind],
    toPrintable(record.name),
    record.restoreReference === null ? "" : `docker pull ${toPrintable(record.restoreReference)}`,
    record.evictionId,
  ]);
  const cached = (caches?.records ?? []).map((record) => [
    toTime(record.atMs),
    record.outcome,
    formatBytes(record.expectedBytes),
    toPrintable(record.kind),
    toPrintable(record.path),
    toPrintable(record.restoreCommand ?? ""),
    toPrintable(record.pool),
  ]);
  // Times in this form sort as texts; lines of one second stay in the order of their ledger.
  const rows = [...docker, ...cached].sort(([a = ""], [b = ""]) => (a < b ? 1 : a > b ? -1 : 0));
  const isMore = nextBeforeSequence !== null || (caches?.nextBeforeSequence ?? null) !== null;
  return [
    ...(rows.length === 0 ? ["nothing was evicted yet"] : table(rows)),
    ...(isMore ? ["and older ones (--limit)"] : []),
    ...(durable ? [] : ["warning: the ledger is kept in memory only, and ends with the core"]),
  ];
}

function undoLines(run: DockerUndoRun): string[] {
  const rows = run.outcomes.map(({ outcome, kind, name, references, detail }) => [
    outcome,
    KIND_NAMES[kind],
    toPrintable(name),
    references.length === 0 ? "" : `tagged ${references.map(toPrintable).join(", ")}`,
    toPrintable(detail ?? ""),
  ]);
  return [
    ...table(rows),
    ...(run.note === null ? [] : [toPrintable(run.note)]),
    `undo ${run.undoId}: ${run.state}, ${run.restoredCount} of ${run.outcomes.length} came back`,
  ];
}

/** Columns that line up; the last one isn't padded. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, stringWidth(cell))));
  return rows.map((row) =>
    row
      .map((cell, i) => cell + " ".repeat((widths[i] ?? 0) - stringWidth(cell)))
      .filter((_cell, i) => (widths[i] ?? 0) > 0)
      .join("  ")
      .trimEnd(),
  );
}

function toSize(bytes: number | null): string {
  return bytes === null ? "unknown" : formatBytes(bytes);
}

function toTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}

function toAge(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
