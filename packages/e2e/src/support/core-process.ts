import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const coreBin = join(import.meta.dirname, "../../../core-server/bin/continuum-core.js");

/** A real core in a process of its own, with a home of its own. */
export interface CoreProcess {
  readonly pid: number;
  readonly socketPath: string;
  readonly url: string;
  /** Everything the core has printed so far, standard output and error apart. */
  stdout(): string;
  stderr(): string;
  /** Resolves when a line of the output matches; rejects after `withinMs`, with the output. */
  line(pattern: RegExp, withinMs?: number): Promise<string>;
  /** Sends a signal and waits for the exit; gives exit code or signal, and how long it took. */
  end(
    signal?: NodeJS.Signals,
  ): Promise<{ code: number | null; signal: NodeJS.Signals | null; tookMs: number }>;
  /** Waits for the core to exit by itself. */
  exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends the core if it still runs and removes its home. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface CoreProcessOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A home to be used again, of an earlier core; otherwise a new one is made and removed at the end. */
  readonly home?: string;
  /** False: don't wait until the socket answers (for cores that are expected to refuse). */
  readonly waitUntilUp?: boolean;
}

/** Starts `continuum-core` as a user would, with an environment that holds nothing of the caller's Docker or Continuum. */
export async function startCore(options: CoreProcessOptions = {}): Promise<CoreProcess> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), "continuum-e2e-")));
  const socketPath = join(home, "core.sock");
  const child = spawn(process.execPath, [coreBin, ...(options.args ?? [])], {
    env: { PATH: process.env["PATH"] ?? "", HOME: home, CONTINUUM_HOME: home, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (chunk: string) => (output[name] += chunk));
  }
  const said = (): string => `--- stdout\n${output.stdout}--- stderr\n${output.stderr}`;
  const dispose = async (): Promise<void> => {
    const exited = exitOf(child);
    child.kill("SIGKILL");
    await exited;
    if (options.home === undefined) await rm(home, { recursive: true, force: true });
  };
  if (options.waitUntilUp !== false) {
    try {
      await untilAccepting(child, socketPath, said);
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  return {
    pid: child.pid ?? 0,
    socketPath,
    url: `unix://${socketPath}`,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    line: (pattern, withinMs = 30_000) =>
      until(
        () => output.stdout.split("\n").find((line) => pattern.test(line)),
        withinMs,
        () => `no line ${String(pattern)}\n${said()}`,
      ),
    end: async (signal = "SIGTERM") => {
      const started = performance.now();
      const exited = exitOf(child);
      child.kill(signal);
      return { ...(await exited), tookMs: performance.now() - started };
    },
    exit: () => exitOf(child),
    [Symbol.asyncDispose]: dispose,
  };
}

async function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { code: child.exitCode, signal: child.signalCode };
}

function untilAccepting(child: ChildProcess, socketPath: string, said: () => string): Promise<true> {
  return until(
    async () => {
      if (child.exitCode !== null) throw new Error(`the core exited with ${child.exitCode}\n${said()}`);
      return (await accepts(socketPath)) ? true : undefined;
    },
    20_000,
    () => `the core doesn't listen on ${socketPath}\n${said()}`,
  );
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => {
      settle(true);
    });
    socket.once("error", () => {
      settle(false);
    });
  });
}

/** Asks `probe` every 20 ms until it gives something other than undefined; rejects with `why()` after `withinMs`. */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs: number,
  why: () => string,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`after ${withinMs} ms: ${why()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
