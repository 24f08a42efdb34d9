import { COMMANDS } from "@continuum/wire-types";
import { Command, CommanderError } from "commander";
import type { DockerQuestion } from "./docker-report.js";
import { parseDuration } from "./parse-duration.js";
import { parseParams } from "./parse-params.js";
import { parseSize } from "./parse-size.js";
import type { TrendQuestion } from "./trend-report.js";
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
  | ({ readonly kind: "trend"; readonly json: boolean; readonly question: TrendQuestion } & GlobalOptions)
  | ({ readonly kind: "docker"; readonly json: boolean; readonly question: DockerQuestion } & GlobalOptions)
  | { readonly kind: "print"; readonly text: string };

const DEFAULT_TIMEOUT_MS = 10_000;
/** What deletes or pulls takes its time. */
const ACTION_TIMEOUT_MS = 51_000;
const POLICIES = ["conservative", "standard", "aggressive"] as const;
const RESOLUTIONS = ["raw", "minute", "hour"] as const;
const MIN_WINDOW_MS = 60_000;
/** As long as the core keeps anything. */
const MAX_WINDOW_MS = 730 * 86_400_000;
const MAX_LISTED = 1_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const EXAMPLES = `
Examples:
  continuum status                                     how full every tier is
  continuum status --json | jq .dockerTier.pressure    the same for a program
  continuum trend docker --window 7d                   how it went, as a chart, and when it is full
  continuum usage                                      who fills Docker's disk
  continuum plan --policy standard --free 5GB          what would go, and why; deletes nothing
  continuum apply PLAN                                 carry a plan out
  continuum history                                    what was deleted, and how it comes back
  continuum undo EVICTION                              pull back what an eviction deleted
  continuum call health-check                          any command of the core, its raw result
  continuum call system/resources --params '{"includeProcesses":true,"topN":3}'
  continuum --url /run/continuum/core.sock status      another core (or CONTINUUM_CORE_URL)

Exit codes: 0 done, 1 the command failed, 2 a flag can't be used, 3 no core is running, 130 ended by Ctrl-C.`;

const TREND_EXAMPLES = `
Examples:
  continuum trend                                      every pool, the last day
  continuum trend docker --window 6h                   one pool, the last six hours
  continuum trend docker --window 30d --resolution hour
  continuum trend docker --json | jq '.histories[0].points[-1].pressure'

Readings are kept for a day, points a minute for a month, points an hour for two years.`;

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
    .option("--timeout <MS>", "how long a request may take, in ms (default: 10000; 51000 for apply and undo)")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  program
    .command("status")
    .description(
      "show every tier: used, capacity, pressure, severity, the trend of the last minute, and when it is full",
    )
    .option("--json", "print one JSON object")
    .action((options: { json?: true }) => {
      parsed.push({ kind: "status", json: options.json === true, ...toGlobals(program.opts()) });
    });
  addTrendCommand(program, (question, json) => {
    parsed.push({ kind: "trend", json, question, ...toGlobals(program.opts()) });
  });
  const docker = (question: DockerQuestion, json: boolean): void => {
    const isAction = question.kind === "apply" || question.kind === "undo";
    const globals = toGlobals(program.opts(), isAction ? ACTION_TIMEOUT_MS : DEFAULT_TIMEOUT_MS);
    parsed.push({ kind: "docker", json, question, ...globals });
  };
  addDockerCommands(program, docker);
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

function addTrendCommand(program: Command, add: (question: TrendQuestion, json: boolean) => void): void {
  program
    .command("trend [POOL]")
    .description("show how full a pool was over time; every pool when none is named")
    .option("--window <DURATION>", "how far back, such as 30m, 6h or 7d", "24h")
    .option(
      "--resolution <STEP>",
      `what a point stands for: ${RESOLUTIONS.join(", ")} (default: the finest that fits)`,
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", TREND_EXAMPLES)
    .action((pool: string | undefined, options: { window: string; resolution?: string; json?: true }) => {
      const windowMs = parseDuration("--window", options.window, MIN_WINDOW_MS, MAX_WINDOW_MS);
      const resolution = RESOLUTIONS.find((each) => each === options.resolution) ?? null;
      if (options.resolution !== undefined && resolution === null) {
        const got = JSON.stringify(options.resolution);
        throw new UsageError(`--resolution: got ${got}, expected ${RESOLUTIONS.join(", ")}`);
      }
      add({ pool: pool ?? null, windowMs, resolution }, options.json === true);
    });
}

function addDockerCommands(program: Command, add: (question: DockerQuestion, json: boolean) => void): void {
  program
    .command("usage")
    .description("show who fills Docker's disk, the largest first, and what nothing explains")
    .option("--limit <N>", `how many entries, 1 to ${MAX_LISTED}`, "20")
    .option("--fresh", "gather the figures anew, which may take a while")
    .option("--json", "print one JSON object")
    .action((options: { limit: string; fresh?: true; json?: true }) => {
      const limit = toCount("--limit", options.limit);
      add({ kind: "usage", limit, fresh: options.fresh === true }, options.json === true);
    });
  program
    .command("plan")
    .description("show what an eviction would delete and why; deletes nothing")
    .option("--policy <POLICY>", `how much may be lost: ${POLICIES.join(", ")} (default: the core's own)`)
    .option("--free <SIZE>", "how much to free, such as 5GB (default: down to the core's target)")
    .option("--target <RATIO>", "the pressure to come down to, such as 0.5")
    .option("--json", "print one JSON object")
    .action((options: { policy?: string; free?: string; target?: string; json?: true }) => {
      const { policy, free, target } = options;
      const named = POLICIES.find((each) => each === policy) ?? null;
      if (policy !== undefined && named === null) {
        throw new UsageError(`--policy: got ${JSON.stringify(policy)}, expected ${POLICIES.join(", ")}`);
      }
      if (free !== undefined && target !== undefined) {
        throw new UsageError("--free and --target can't be given together");
      }
      const wantBytes = free === undefined ? null : parseSize("--free", free);
      const question = { kind: "plan", policy: named, wantBytes, target: toRatio(target) } as const;
      add(question, options.json === true);
    });
  program
    .command("apply <PLAN>")
    .description("carry a plan out: delete what is in it and nothing else")
    .option("--json", "print one JSON object")
    .action((planId: string, options: { json?: true }) => {
      add({ kind: "apply", planId }, options.json === true);
    });
  program
    .command("history")
    .description("show the ledger: what was deleted, why, and how it comes back")
    .option("--limit <N>", `how many lines, 1 to ${MAX_LISTED}`, "50")
    .option("--eviction <ID>", "only the lines of this eviction")
    .option("--json", "print one JSON object")
    .action((options: { limit: string; eviction?: string; json?: true }) => {
      const limit = toCount("--limit", options.limit);
      add({ kind: "history", limit, evictionId: options.eviction ?? null }, options.json === true);
    });
  program
    .command("undo [EVICTION]")
    .description("pull back what an eviction deleted, tagged as before; says what can't be had back")
    .option("--image <IMAGE>", "one image in place of an eviction: its id, tag or digest reference")
    .option("--json", "print one JSON object")
    .action((evictionId: string | undefined, options: { image?: string; json?: true }) => {
      const { image } = options;
      if ((evictionId === undefined) === (image === undefined)) {
        throw new UsageError("undo takes either an eviction's id or --image (see continuum history)");
      }
      const what = evictionId === undefined ? { image: image ?? "" } : { evictionId };
      add({ kind: "undo", what }, options.json === true);
    });
}

function toCount(flag: string, text: string): number {
  const value = /^\d+$/u.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= MAX_LISTED) return value;
  throw new UsageError(`${flag}: got ${JSON.stringify(text)}, expected 1 to ${MAX_LISTED}`);
}

function toRatio(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = /^(?:\d+(?:\.\d*)?|\.\d+)$/u.test(text) ? Number(text) : -1;
  if (value >= 0 && value <= 1) return value;
  throw new UsageError(`--target: got ${JSON.stringify(text)}, expected a ratio from 0 to 1`);
}

function toGlobals(
  options: { url?: string; timeout?: string },
  defaultTimeoutMs = DEFAULT_TIMEOUT_MS,
): GlobalOptions {
  const text = options.timeout ?? String(defaultTimeoutMs);
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
