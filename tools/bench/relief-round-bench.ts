import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { formatTable } from "../contract/format-tables.js";
import type { RoundFigures } from "./relief-round-run.js";

const ROOT = join(import.meta.dirname, "../..");
/** So much is allocated without a collection in between that a round's bytes can be read off the heap. */
const ROOMY = ["--min-semi-space-size=512", "--max-semi-space-size=512"];

/** A relief round over 10, 1,000 and 10,000 in-process pools: time and allocation per pool, as built; beside a bare loop. */
export function benchReliefRound(): string {
  execFileSync("npx", ["nx", "run-many", "-t", "build", "-p", "broker-core"], { cwd: ROOT, stdio: "ignore" });
  const timed = run([]);
  const roomy = run(ROOMY);
  const rows = timed.map(({ state, pools, roundUs, bareUs }, i) => {
    const before = timed.find((each) => each.state === state && each.pools * 10 === pools);
    return [
      state,
      `${pools}`,
      `${roundUs.toFixed(2)} µs`,
      `${((roundUs * pools) / 1_000).toFixed(2)} ms`,
      `${(roomy[i]?.roundBytes ?? Number.NaN).toFixed(0)} B`,
      `${bareUs.toFixed(2)} µs`,
      before === undefined ? "" : `${(roundUs / before.roundUs).toFixed(2)} x`,
    ];
  });
  const head = [
    "",
    "pools",
    "per pool",
    "round",
    "allocated per pool",
    "bare loop",
    "per pool against 1,000",
  ];
  return `Calm: read and decided. Critical: each of them is relieved too, with a measurement before and after\n${formatTable([head, ...rows])}`;
}

function run(flags: readonly string[]): readonly RoundFigures[] {
  const script = join(import.meta.dirname, "relief-round-run.ts");
  // Without the source condition: what is published is measured.
  const args = ["--expose-gc", ...flags, "--import", "tsx", script, "run"];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" })) as RoundFigures[];
}
