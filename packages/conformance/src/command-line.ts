import { Command, CommanderError } from "commander";

/** What a run is asked to do. */
export interface ConformanceRun {
  /** The core to hold against the vectors; null when a client is. */
  readonly url: string | null;
  /** The program that drives a client under test; null when a core is. */
  readonly client: readonly string[] | null;
  readonly level: "protocol" | "continuum";
  /** Only vectors whose name contains one of these. */
  readonly only: readonly string[];
  readonly withinMs: number;
  readonly json: boolean;
}

/** What the arguments ask for, or the text to print instead. `usage` is a mistake. */
export type CommandLine =
  | { readonly kind: "run"; readonly run: ConformanceRun }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "usage"; readonly text: string };

const EXAMPLES = `
Examples:
  npm run conformance -- --url unix:///run/user/1000/continuum/core.sock
  npm run conformance -- --url tcp://127.0.0.1:7001 --level continuum --json
  npm run conformance -- --client 'node my-subject.js'

A core on TCP may want a token first: the one in CONTINUUM_TOKEN, in the file CONTINUUM_TOKEN_FILE, or in the file that a
core of this user made is presented on each connection.
Exit codes: 0 all passed, 1 something failed, 2 the arguments can't be used or nobody answers.`;

const MAX_WITHIN_MS = 600_000;

/** Parses the arguments after the program's name. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let text = "";
  const command = new Command("conformance")
    .description(
      "Holds a core, by its socket alone, or a client, by a scripted peer, against the protocol's vectors.",
    )
    .argument("[name...]", "only vectors whose name contains one of these")
    .option("--url <URL>", "the core: unix:///PATH, a path, or tcp://HOST:PORT")
    .option(
      "--client <COMMAND>",
      "the program that drives a client (see packages/conformance/README.md), by spaces",
    )
    .option(
      "--level <LEVEL>",
      "protocol: what every peer must do; continuum: also what this project promises",
      "protocol",
    )
    .option("--within-ms <N>", "how long an answer may take, in ms", "10000")
    .option("--json", "one JSON object instead of lines", false)
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? { kind: "print", text } : { kind: "usage", text: error.message };
  }
  const { url, client, level, withinMs, json } = command.opts<
    Readonly<Record<string, string>> & { json: boolean }
  >();
  if ((url === undefined) === (client === undefined)) return usage("one of --url and --client is needed");
  if (level !== "protocol" && level !== "continuum") return usage("--level is protocol or continuum");
  const limit = /^\d+$/u.test(withinMs ?? "") ? Number(withinMs) : 0;
  if (limit < 1 || limit > MAX_WITHIN_MS)
    return usage(`--within-ms is a whole number from 1 to ${MAX_WITHIN_MS}`);
  return {
    kind: "run",
    run: {
      url: url ?? null,
      client: client === undefined ? null : client.split(/\s+/u).filter((part) => part !== ""),
      level,
      only: command.args,
      withinMs: limit,
      json,
    },
  };
}

function usage(text: string): CommandLine {
  return { kind: "usage", text: `${text} (see --help)` };
}
