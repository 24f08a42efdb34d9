/** `npm run command -- init NAME | validate | generate | list`: from a spec to everything that comes from it. */
import { join } from "node:path";
import { Command } from "commander";
import { initSpec } from "./command/init-spec.js";
import { ownedFilesNaming, removedCommands } from "./command/removed-commands.js";
import { toPatch } from "./command/to-patch.js";
import { formatTable } from "./contract/format-tables.js";
import { formatShape } from "./contract/shape.js";
import { buildFiles } from "./generate/build-files.js";
import { compareFiles } from "./generate/compare-files.js";
import { toPascalCase } from "./generate/contract-model.js";
import { GenerateError } from "./generate/generate-error.js";
import { readContract } from "./generate/read-contract.js";
import { describeDrift } from "./generate/run-generate.js";
import { writeFiles } from "./generate/write-files.js";

const program = new Command("npm run command --")
  .description("Commands from specs in schemas/commands/: write a spec, generate, implement the handler.")
  .option("--workspace <dir>", "the workspace", join(import.meta.dirname, ".."))
  .addHelpText(
    "after",
    `
Examples:
  npm run command -- init system/disk-report    write schemas/commands/system-disk-report.json
  npm run command -- validate                   every mistake, with file, line and column
  npm run command -- generate --dry-run         what would change, as a diff
  npm run command -- generate                   types, client method, server command, reference page, test

Exit codes: 0 done, 1 a spec is wrong or --check found a difference, 2 a flag can't be used.`,
  );
const workspaceOf = (): string => program.opts<{ workspace: string }>().workspace;

program
  .command("init")
  .description("write a new command's spec, ready to be edited")
  .argument("<name>", "the command, for example system/disk-report")
  .option("--force", "overwrite a spec that exists")
  .action(async (name: string, { force = false }: { force?: boolean }) => {
    const path = await initSpec(workspaceOf(), name, { force });
    console.log(`${path}\nNext: edit it, then: npm run command -- generate`);
  });

program
  .command("validate")
  .description("read every spec and name every mistake; write nothing")
  .action(async () => {
    const { commands } = await readContract(workspaceOf());
    console.log(`${commands.length} specs are valid`);
  });

program
  .command("generate")
  .description("make everything that comes from the specs; files that people own are never touched")
  .option("--dry-run", "write nothing; print a unified diff of what would change")
  .option("--check", "write nothing; exit 1 when something would change")
  .option("--force", "write every generated file again, also one that is as generated")
  .action(
    async ({
      dryRun = false,
      check = false,
      force = false,
    }: {
      dryRun?: boolean;
      check?: boolean;
      force?: boolean;
    }) => {
      const workspace = workspaceOf();
      const contract = await readContract(workspace);
      const files = buildFiles(contract);
      const drift = await compareFiles(workspace, files);
      const removed = await removedCommands(workspace, drift);
      if (dryRun) process.stdout.write(await toPatch(workspace, files, drift));
      if (check) for (const finding of drift) console.error(describeDrift(finding));
      if (!dryRun && !check) {
        const all = files.map(({ path }) => ({ kind: "missing", path }) as const);
        await writeFiles(
          workspace,
          files,
          force ? [...all, ...drift.filter(({ kind }) => kind === "orphan")] : drift,
        );
        for (const { kind, path } of drift)
          console.log(`${kind === "orphan" ? "removed" : "wrote  "} ${path}`);
      }
      for (const command of removed) {
        const left = await ownedFilesNaming(workspace, command);
        if (left.length > 0)
          console.log(
            `${command} has no spec any more; these files of yours still name it:\n  ${left.join("\n  ")}`,
          );
      }
      console.log(
        `${contract.commands.length} commands, ${files.length} files, ${drift.length} ${dryRun || check ? "would change" : "changed"}`,
      );
      if (check && drift.length > 0) console.error("To mend: npm run generate");
      if (check && drift.length > 0) process.exitCode = 1;
    },
  );

program
  .command("list")
  .description("list the commands")
  .option("--json", "as JSON")
  .action(async ({ json = false }: { json?: boolean }) => {
    const { commands } = await readContract(workspaceOf());
    const rows = commands.map(({ name, accessLevel, idempotent, params, results, source }) => ({
      name,
      accessLevel,
      idempotent,
      params: params.map((p) => `${p.name}${p.optional ? "?" : ""}: ${formatShape(p.shape)}`).join(", "),
      results: results.map((r) => `${r.name}${r.optional ? "?" : ""}: ${formatShape(r.shape)}`).join(", "),
      serverCommand: `${toPascalCase(name)}ServerCommand`,
      spec: source,
    }));
    if (json) console.log(JSON.stringify(rows, null, 2));
    else {
      const head = ["command", "access", "idempotent", "parameters"];
      console.log(
        formatTable([
          head,
          ...rows.map((r) => [r.name, r.accessLevel, r.idempotent ? "yes" : "no", r.params || "–"]),
        ]),
      );
    }
  });

// Whoever read has read enough, as `| head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
for (const command of [program, ...program.commands]) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof GenerateError) {
    console.error(error.message);
    process.exitCode = 1;
  } else if (error instanceof Error && "exitCode" in error) {
    // commander has said what is wrong with the command line; help and version end with 0.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else throw error;
}
