/** `npm run generate [-- --check]`: schemas and command specs in, every `src/gen/` out. */
import { join } from "node:path";
import { Command } from "commander";
import { GenerateError } from "./generate/generate-error.js";
import { describeDrift, runGenerate } from "./generate/run-generate.js";

const program = new Command("npm run generate --")
  .description("Generates types, validators, client methods and server commands from schemas/.")
  .option("--check", "write nothing; exit 1 when a generated file isn't as it would be generated")
  .option("--workspace <dir>", "the workspace", join(import.meta.dirname, ".."))
  .parse();
const { check = false, workspace } = program.opts<{ check?: boolean; workspace: string }>();

try {
  const { files, drift, unlisted } = await runGenerate(workspace, { check });
  for (const finding of drift) if (check) console.error(describeDrift(finding));
  for (const name of unlisted)
    console.error(`packages/wire-types/src/index.ts: list ${name}, its decoder and its schema`);
  if (check && drift.length > 0) {
    console.error(`\n${drift.length} of ${files} generated files differ. To mend: npm run generate`);
  } else {
    console.log(
      check
        ? `${files} generated files are as generated`
        : `${files} generated files, ${drift.length} changed`,
    );
  }
  process.exitCode = unlisted.length > 0 || (check && drift.length > 0) ? 1 : 0;
} catch (error) {
  if (!(error instanceof GenerateError)) throw error;
  console.error(`${error.message}\nnothing was generated`);
  process.exitCode = 1;
}
