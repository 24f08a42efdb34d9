import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packageDirectory = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A real `continuum-core` in a process of its own, run from its source. */
export interface CoreProcess extends AsyncDisposable {
  readonly pid: number;
  readonly socketPath: string;
  /** Everything printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when standard output matches; rejects when the process ends first. */
  printed(pattern: RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Starts one with `home` as its state directory, and nothing of the caller's environment but PATH. */
export function startCoreProcess(
  home: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): CoreProcess {
  const flags = ["--conditions=@continuum/source", "--import", "tsx"];
  const main = join(packageDirectory, "src/main.ts");
  const child = spawn(process.execPath, [...flags, main, ...args], {
    cwd: packageDirectory,
    env: { PATH: process.env["PATH"], HOME: home, CONTINUUM_HOME: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = once(child, "close").then(
    ([code, signal]: unknown[]) => (code ?? signal) as number | NodeJS.Signals,
  );
  return {
    pid: child.pid ?? 0,
    socketPath: join(home, "core.sock"),
    stdout: () => stdout,
    stderr: () => stderr,
    printed: async (pattern) => {
      const ended = exit.then(() => "ended" as const);
      while (!pattern.test(stdout)) {
        if ((await Promise.race([once(child.stdout, "data"), ended])) !== "ended") continue;
        if (!pattern.test(stdout)) throw new Error(`ended without ${String(pattern)}\n${stdout}\n${stderr}`);
      }
    },
    kill: (signal) => void child.kill(signal),
    exit,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
}
