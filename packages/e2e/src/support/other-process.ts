import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "./core-process.js";

/** A process that a test starts beside a core, with what it prints. */
export interface OtherProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Everything that it has printed, both ways. */
  output(): string;
  /** Resolves when what it printed matches. */
  said(pattern: RegExp): Promise<true>;
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and waits for the end; gives the exit code, null after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a program with an environment that holds nothing of the caller's but the path; it is killed at the end of the scope. */
export function startProcess(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): OtherProcess {
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => (output += chunk));
  }
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const isRunning = child.exitCode === null && child.signalCode === null;
    const exited = isRunning ? once(child, "exit") : null;
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    child,
    output: () => output,
    said: (pattern) =>
      until(
        () => (pattern.test(output) ? true : undefined),
        30_000,
        () => `${command} ${args.join(" ")} didn't say ${String(pattern)}:\n${output}`,
      ),
    signal: (signal) => void child.kill(signal),
    end,
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
    },
  };
}
