import { connectCore, type RustCoreIPCClient } from "@continuum/ipc-client";
import { type CommandLine, parseCommandLine } from "./command-line.js";
import { dockerLines } from "./docker-lines.js";
import { askDocker, isDone } from "./docker-report.js";
import { toErrorReport } from "./error-report.js";
import { EXIT_CODE } from "./exit-code.js";
import { statusLines, type StatusStyle } from "./status-lines.js";
import { readStatus } from "./status-report.js";
import { trendLines } from "./trend-lines.js";
import { readTrend } from "./trend-report.js";
import { readVersion } from "./version.js";

/** Where the CLI writes. */
export interface CliOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What the CLI is run with. */
export interface CliContext {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  /** Ends what is running, with exit code 130. */
  readonly signal?: AbortSignal | undefined;
}

/** A line for a file or a pipe is as long as a wide terminal's. */
const DEFAULT_COLUMNS = 100;

/** Runs one command and gives the exit code. Data goes to stdout, everything else to stderr. */
export async function runCli(context: CliContext): Promise<number> {
  try {
    const commandLine = parseCommandLine(context.args, readVersion());
    if (commandLine.kind === "print") context.stdout.write(commandLine.text);
    else if (!(await withCore(commandLine, context))) return EXIT_CODE.failed;
    return EXIT_CODE.ok;
  } catch (error) {
    const report = toErrorReport(error);
    if (report === null) throw error;
    context.stderr.write(report.lines.map((line) => `${line}\n`).join(""));
    return report.exitCode;
  }
}

/** False when the core did what was asked, and it failed. */
async function withCore(
  commandLine: Exclude<CommandLine, { kind: "print" }>,
  context: CliContext,
): Promise<boolean> {
  const { url, timeoutMs } = commandLine;
  await using client = connectCore({
    url: url ?? undefined,
    env: context.env,
    requestTimeoutMs: timeoutMs,
    // A person is waiting: a core that goes away is an error at once.
    reconnectForMs: 0,
  });
  if (commandLine.kind === "call") {
    await call(client, commandLine, context);
    return true;
  }
  if (commandLine.kind === "docker") {
    const report = await askDocker(client, commandLine.question, timeoutMs, context.signal);
    const lines = commandLine.json ? [JSON.stringify(report.value)] : dockerLines(report);
    context.stdout.write(lines.map((line) => `${line}\n`).join(""));
    return isDone(report);
  }
  if (commandLine.kind === "trend") {
    const report = await readTrend(client, commandLine.question, Date.now(), context.signal);
    const lines = commandLine.json ? [JSON.stringify(report)] : trendLines(report, toStyle(context));
    context.stdout.write(lines.map((line) => `${line}\n`).join(""));
    return true;
  }
  const report = await readStatus(client, context.signal);
  const lines = commandLine.json ? [JSON.stringify(report)] : statusLines(report, toStyle(context));
  context.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return true;
}

async function call(
  client: RustCoreIPCClient,
  { command, params }: Extract<CommandLine, { kind: "call" }>,
  { stdout, stderr, signal }: CliContext,
): Promise<void> {
  const { result, attachment } = await client.request(command, params, { signal });
  stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  if (attachment !== null) stderr.write(`continuum: ${attachment.length} bytes came with it, not shown\n`);
}

function toStyle({ stdout, env }: CliContext): StatusStyle {
  const isTerminal = stdout.isTTY === true;
  const noColor = env["NO_COLOR"];
  return {
    columns: (isTerminal ? stdout.columns : undefined) ?? DEFAULT_COLUMNS,
    color: isTerminal && (noColor === undefined || noColor === "") && env["TERM"] !== "dumb",
  };
}
