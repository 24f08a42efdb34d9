/**
 * `npm run check`: what CI runs, in CI's order. Every step runs even when an earlier one failed,
 * so that one run shows all there is to mend; the last line is the tests' total.
 */
import { join } from "node:path";
import { readTestTotals } from "./read-test-totals.js";
import { runCommand } from "./run-command.js";
import { formatTestTotals, sumTestTotals } from "./test-totals.js";

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** What mends a failure, said beside it. */
  readonly mend: string;
}

const steps: readonly Step[] = [
  { name: "sync", command: ["npx", "nx", "sync:check"], mend: "npx nx sync" },
  { name: "generate", command: ["npm", "run", "-s", "generate", "--", "--check"], mend: "npm run generate" },
  { name: "contract", command: ["npm", "run", "-s", "contract", "--", "check"], mend: "said above" },
  { name: "format", command: ["npx", "prettier", "--check", "."], mend: "npm run format" },
  { name: "lint", command: ["npm", "run", "-s", "lint"], mend: "npm run lint -- --fix" },
  { name: "boundaries", command: ["npm", "run", "-s", "boundaries"], mend: "CONTRIBUTING.md, Layers" },
  {
    name: "typecheck",
    command: ["npm", "run", "-s", "typecheck", "--", "--output-style=static"],
    mend: "the types named above",
  },
  {
    name: "build",
    command: ["npm", "run", "-s", "build", "--", "--output-style=static"],
    mend: "the package named above",
  },
  { name: "packages", command: ["npm", "run", "-s", "packages"], mend: "said above; npm run packages" },
  { name: "test", command: ["npm", "-s", "test"], mend: "the tests named above" },
  { name: "knip", command: ["npx", "knip"], mend: "delete what nothing uses, or declare what is used" },
];

process.chdir(join(import.meta.dirname, ".."));
const env = { ...process.env, NX_DAEMON: "false" };
const rows: { readonly step: Step; readonly ok: boolean; readonly seconds: number }[] = [];
for (const step of steps) {
  const [file, ...args] = step.command;
  console.log(`\n── ${step.name}: ${step.command.join(" ")}`);
  const startedMs = performance.now();
  const code = await runCommand(file, args, env);
  rows.push({ step, ok: code === 0, seconds: (performance.now() - startedMs) / 1000 });
}
console.log("");
for (const { step, ok, seconds } of rows) {
  const mend = ok ? "" : `   to mend: ${step.mend}`;
  console.log(
    `${ok ? "ok    " : "FAILED"} ${step.name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s${mend}`,
  );
}
const totals = (await readTestTotals()).map((project) => project.totals);
console.log(formatTestTotals(sumTestTotals(totals)));
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
