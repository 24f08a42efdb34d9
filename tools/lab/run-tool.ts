import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DockerLabError } from "./docker-lab-error.js";

/** What a finished program wrote. */
export interface ToolOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is run; without `timeoutMs` it is killed after two minutes. */
export interface RunToolOptions {
  readonly input?: string | Uint8Array | Readable;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program from an argument array (no shell) and collects what it writes. Anything but exit code 0 rejects
 * with a `DockerLabError` that quotes stderr; a timeout and an abort kill the program first.
 */
export async function runTool(
  file: string,
  args: readonly string[],
  options: RunToolOptions = {},
): Promise<ToolOutput> {
  const timeoutMs = options.timeoutMs ?? 120_000;
  const command = [file, ...args].join(" ");
  if (options.signal?.aborted === true) throw new DockerLabError("aborted", `${command}: aborted`);
  const child = spawn(file, args, { env: options.env ?? process.env, stdio: ["pipe", "pipe", "pipe"] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));

  const killed: { reason?: "timeout" | "aborted" } = {};
  const kill = (reason: "timeout" | "aborted") => {
    killed.reason ??= reason;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(() => kill("timeout"), timeoutMs);
  const onAbort = () => kill("aborted");
  options.signal?.addEventListener("abort", onAbort, { once: true });

  // The program may end before it has read its input (EPIPE); its exit code tells the story then.
  const feeding = feed(options.input, child.stdin).catch(() => undefined);
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) => {
        reject(new DockerLabError("commandFailed", `${command}: ${cause.message}`, { cause }));
      });
      child.once("close", (code) => resolve(code));
    });
    const output = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
    if (killed.reason !== undefined) {
      const why = killed.reason === "timeout" ? `not done after ${timeoutMs} ms` : "aborted";
      throw new DockerLabError(killed.reason, `${command}: ${why}\n${output.stderr.trim()}`);
    }
    if (exitCode !== 0) {
      throw new DockerLabError(
        "commandFailed",
        `${command}: exit ${exitCode ?? "by signal"}\n${output.stderr.trim()}`,
      );
    }
    return output;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    await feeding;
  }
}

async function feed(input: RunToolOptions["input"], stdin: NodeJS.WritableStream): Promise<void> {
  if (input instanceof Readable) await pipeline(input, stdin);
  else {
    // As above: the exit code tells.
    stdin.on("error", () => undefined);
    stdin.end(input ?? "");
  }
}
