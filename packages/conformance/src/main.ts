/** `npm run conformance`: see `--help`. */
import { resolveEndpoint, resolveToken } from "@continuum/ipc-client/address";
import { parseCommandLine } from "./command-line.js";
import { formatOutcome, formatTotals } from "./format-outcome.js";
import { runConformance } from "./run-conformance.js";

const line = parseCommandLine(process.argv.slice(2));
if (line.kind === "print") {
  process.stdout.write(line.text);
} else if (line.kind === "usage") {
  process.stderr.write(`conformance: ${line.text}\n`);
  process.exitCode = 2;
} else {
  const { run } = line;
  try {
    const outcomes = await runConformance(run, {
      token: run.url === null ? null : resolveToken(resolveEndpoint({}, run.url)),
      // npm changes the directory to the workspace's: a command is meant where it was typed.
      cwd: process.env["INIT_CWD"] ?? process.cwd(),
      onOutcome: (outcome) => {
        if (!run.json) console.log(formatOutcome(outcome));
      },
    });
    const failed = outcomes.filter((outcome) => !outcome.ok).length;
    console.log(
      run.json
        ? JSON.stringify({ passed: outcomes.length - failed, failed, outcomes })
        : formatTotals(outcomes),
    );
    // Nothing was asked of the peer: that is no pass.
    process.exitCode = outcomes.length === 0 ? 2 : Number(failed > 0);
  } catch (error) {
    process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
