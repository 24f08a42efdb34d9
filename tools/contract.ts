/** `npm run contract -- check | accept | compare DIR`: the contract against its lock, and against a Rust core's export. */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { compareContracts } from "./contract/compare-shapes.js";
import { checkContract, lockPath, readLock, readVersion, toLock } from "./contract/contract-lock.js";
import { formatChanges, formatComparison } from "./contract/format-tables.js";
import { readExports } from "./contract/read-exports.js";
import { GenerateError } from "./generate/generate-error.js";
import { readContract } from "./generate/read-contract.js";

const program = new Command("npm run contract --")
  .description(
    "Holds the contract in schemas/ against what was accepted, and against what a Rust core exports with ts-rs.",
  )
  .option("--workspace <dir>", "the workspace", join(import.meta.dirname, ".."));
const workspaceOf = (): string => program.opts<{ workspace: string }>().workspace;

program
  .command("check")
  .description("classify every change since the lock; exit 1 on a breaking one without a raised version")
  .action(async () => {
    const workspace = workspaceOf();
    const [lock, contract, version] = [
      await readLock(workspace),
      await readContract(workspace),
      await readVersion(workspace),
    ];
    const { changes, ok, mend, lockedVersion } = checkContract(lock, contract, version);
    if (changes.length > 0) console.log(formatChanges(changes));
    const breaking = changes.filter(({ severity }) => severity === "breaking").length;
    console.log(
      `contract version ${version} (accepted: ${lockedVersion}): ${breaking} breaking, ${changes.length - breaking} additive`,
    );
    if (mend !== null) console.error(`To mend: ${mend}`);
    if (ok && changes.length > 0) console.log(`Not in the lock yet: npm run contract -- accept`);
    process.exitCode = ok ? 0 : 1;
  });

program
  .command("accept")
  .description("write the lock")
  .action(async () => {
    const workspace = workspaceOf();
    const [contract, version] = [await readContract(workspace), await readVersion(workspace)];
    const lock = await readLock(workspace).catch((error: unknown) => {
      if (error instanceof GenerateError && (error.cause as NodeJS.ErrnoException).code === "ENOENT")
        return null;
      throw error;
    });
    const check = lock === null ? null : checkContract(lock, contract, version);
    if (check?.ok === false) {
      console.log(formatChanges(check.changes));
      throw new GenerateError(lockPath, `not accepted: ${check.mend ?? ""}`);
    }
    await writeFile(join(workspace, lockPath), `${JSON.stringify(toLock(contract, version), null, 1)}\n`);
    console.log(
      `${lockPath}: version ${version}, ${contract.types.length} types, ${contract.commands.length} commands`,
    );
  });

program
  .command("compare")
  .description(
    "hold the schemas against a folder of .ts files exported by ts-rs (10 to 12); exit 1 on a difference",
  )
  .argument("<dir>", "the folder; any layout, bigint or number")
  .action(async (directory: string) => {
    if (!(await stat(directory).catch(() => null))?.isDirectory())
      throw new GenerateError(directory, "is no folder");
    const [contract, theirs] = [await readContract(workspaceOf()), await readExports(directory)];
    if (theirs.length === 0) throw new GenerateError(directory, "no exported types in .ts files");
    const comparisons = compareContracts(contract.types, theirs);
    console.log(formatComparison(comparisons));
    const different = comparisons.filter(({ verdict }) => verdict === "different").length;
    const count = (verdict: string): number => comparisons.filter((c) => c.verdict === verdict).length;
    console.log(
      `${count("identical")} identical, ${count("explained")} explained, ${different} different, ` +
        `${count("onlyHere")} only here, ${count("onlyThere")} only there`,
    );
    process.exitCode = different > 0 ? 1 : 0;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof GenerateError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
