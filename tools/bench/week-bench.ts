import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { formatBytes } from "@continuum/wire-types";
import { formatTable } from "../contract/format-tables.js";
import type { DayFigures } from "./week-run.js";

const ROOT = join(import.meta.dirname, "../..");
const DAYS = 7;
const SHORT_DAYS = 3;

const runs = [
  { mode: "file", days: DAYS, what: "its state in a file" },
  { mode: "memory", days: SHORT_DAYS, what: "its state in memory, as where no file can be had" },
  { mode: "leak", days: SHORT_DAYS, what: "a leak planted: each state and message is kept" },
] as const;

/** What a whole core takes up at the end of each day of a simulated week; and a core with a leak, which must show. */
export async function benchWeek(): Promise<string> {
  execFileSync("npx", ["nx", "run-many", "-t", "build", "-p", "core-server"], { cwd: ROOT, stdio: "ignore" });
  const head = ["", "ticks", "messages", "heap", "resident", "state file", "heap against day 1"];
  const lines: string[] = [
    "A core with four pools (one fills and is relieved, one is stuck, one flaps, one is away at times), a tick a minute, more where it fills",
  ];
  for (const { mode, days, what } of runs) {
    const figures = await run(mode, days);
    lines.push(what, formatTable([head, ...figures.map((day) => toRow(day, figures))]));
  }
  return lines.join("\n");
}

function toRow(
  { day, ticks, messages, heapBytes, rssBytes, stateBytes }: DayFigures,
  all: readonly DayFigures[],
): readonly string[] {
  const first = all[0]?.heapBytes ?? Number.NaN;
  return [
    `day ${day}`,
    `${ticks}`,
    `${messages}`,
    formatBytes(heapBytes),
    formatBytes(rssBytes),
    formatBytes(stateBytes),
    `${(heapBytes / first).toFixed(3)} x`,
  ];
}

async function run(mode: (typeof runs)[number]["mode"], days: number): Promise<readonly DayFigures[]> {
  // In memory where there is such a place: a week of writes that wait for a disk takes its time.
  const directory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const script = join(import.meta.dirname, "week-run.ts");
  // Without the source condition: what is published is measured.
  const args = ["--expose-gc", "--import", "tsx", script, mode, directory, `${days}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as DayFigures[];
}
