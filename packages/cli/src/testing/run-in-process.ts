import { runCli } from "../run-cli.js";

/** What a run of the CLI gave. */
export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a test's terminal is. */
export interface CliTerminal {
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly signal?: AbortSignal;
}

/** Runs the CLI in this process and collects what it writes. */
export async function runInProcess(args: readonly string[], terminal: CliTerminal = {}): Promise<CliRun> {
  const written = { stdout: "", stderr: "" };
  const { env = {}, isTTY = false, columns, signal } = terminal;
  const exitCode = await runCli({
    args,
    env,
    stdout: { write: (text) => (written.stdout += text), isTTY, columns },
    stderr: { write: (text) => (written.stderr += text) },
    signal,
  });
  return { exitCode, ...written };
}
