/**
 * `npm test`: every package's tests through Nx, then one closing line over all of them.
 * Arguments go to Nx: `npm test -- -p broker-core`, `npm test -- --skip-nx-cache`.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readTestTotals, testResultsDir } from "./read-test-totals.js";
import { runCommand } from "./run-command.js";
import { formatTestTotals, sumTestTotals } from "./test-totals.js";

process.chdir(join(import.meta.dirname, ".."));
await rm(testResultsDir, { recursive: true, force: true });
const exitCode = await runCommand(
  "npx",
  ["nx", "run-many", "-t", "test", "--parallel=2", "--output-style=static", ...process.argv.slice(2)],
  { ...process.env, NX_DAEMON: process.env["NX_DAEMON"] ?? "false" },
);

const projects = await readTestTotals();
for (const { project, totals } of projects) console.log(`${project.padEnd(16)} ${formatTestTotals(totals)}`);
let sum = sumTestTotals(projects.map(({ totals }) => totals));
if (exitCode !== 0 && sum.failed === 0) {
  console.error("test: a test target failed without a failed test; see its output above");
  sum = { ...sum, failed: 1 };
}
console.log(formatTestTotals(sum));
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
