import { COMMANDS } from "@continuum/wire-types";
import { Command, CommanderError } from "commander";
import { parseParams } from "./parse-params.js";
import { UsageError } from "./usage-error.js";

/** What every command of the CLI knows. */
export interface GlobalOptions {
  /** Null: `CONTINUUM_CORE_URL`, else the default socket. */
  readonly url: string | null;
  readonly timeoutMs: number;
}

/** What the command line asks for. */
export type CommandLine =
  | ({ readonly kind: "status"; readonly json: boolean } & GlobalOptions)
  | ({
      readonly kind: "call";
      readonly command: string;
      readonly params: Readonly<Record<string, unknown>>;
    } & GlobalOptions)
  | { readonly kind: "print"; readonly text: string };

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const EXAMPLES = `
Examples:
  continuum status                                     how full every tier is
  continuum status --json | jq .dockerTier.pressure    the same for a program
  continuum call health-check                          any command of the core, its raw result
  continuum call system/resources --params '{"includeProcesses":true,"topN":3}'
  continuum --url /run/continuum/core.sock status      another core (or CONTINUUM_CORE_URL)

Exit codes: 0 done, 1 the command failed, 2 a flag can't be used, 3 no core is running.`;

/** Every command of the contract with its parameters' example, as the specs say. */
function commandsHelp(): string {
  const lines = Object.values(COMMANDS)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, description, accessLevel, examples }) => [
      `  ${name} (${accessLevel})`,
      `      ${description}`,
      ...examples.map(({ command }) => `      $ ${command}`),
    ]);
  return ["Commands of this version's contract; a core may know others:", ...lines].join("\n");
}

/** Parses the arguments after the program's name; throws a UsageError for what can't be used. */
export function parseCommandLine(args: readonly string[], version: string): CommandLine {
  let text = "";
  const parsed: CommandLine[] = [];
  const program = new Command("continuum")
    .description("Shows the pressure of every tier that the core watches.")
    .option(
      "--url <URL>",
      "the core's endpoint: a path, unix:///PATH or tcp://HOST:PORT (CONTINUUM_CORE_URL)",
    )
    .option("--timeout <MS>", "how long a request may take, in ms", String(DEFAULT_TIMEOUT_MS))
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  program
    .command("status")
    .description("show every tier: used, capacity, pressure, severity, and the trend of the last minute")
    .option("--json", "print one JSON object")
    .action((options: { json?: true }) => {
      parsed.push({ kind: "status", json: options.json === true, ...toGlobals(program.opts()) });
    });
  program
    .command("call <COMMAND>")
    .description("run a command of the core and print its raw result")
    .addHelpText("after", () => `\n${commandsHelp()}`)
    .option("--params <JSON>", "the command's parameters, a JSON object", "{}")
    .action((command: string, options: { params: string }) => {
      parsed.push({
        kind: "call",
        command,
        params: parseParams(options.params),
        ...toGlobals(program.opts()),
      });
    });
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "print", text };
    throw new UsageError(toUsageText(error), { cause: error });
  }
  const [commandLine] = parsed;
  if (commandLine === undefined) throw new UsageError("no command given (see continuum --help)");
  return commandLine;
}

function toGlobals(options: { url?: string; timeout?: string }): GlobalOptions {
  const text = options.timeout ?? "";
  const timeoutMs = /^\d+$/u.test(text) ? Number(text) : 0;
  if (timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS) {
    throw new UsageError(`--timeout: got ${JSON.stringify(text)}, expected 1 to ${MAX_TIMEOUT_MS} ms`);
  }
  return { url: options.url ?? null, timeoutMs };
}

function toUsageText(error: CommanderError): string {
  // Without a command, commander answers with its help as an error of its own.
  if (error.code === "commander.help") return "no command given (see continuum --help)";
  const message = error.message.replace(/^error: /u, "").replace(/\s*\n\s*/gu, " ");
  return `${message} (see continuum --help)`;
}
