import { type ChildProcess, spawn } from "node:child_process";
import { SinkError } from "./sink-error.js";

/** What a program may do and for how long. */
export interface CommandRun {
  /** The program and its arguments, as they are: no shell sees them. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** After this it gets SIGTERM, in ms. */
  readonly timeoutMs: number;
  /** And so much later SIGKILL. */
  readonly graceMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** Output that is kept of each stream, for the text of a failure, in bytes. */
const KEPT_BYTES = 2_048;
/** Output that is read and thrown away; who prints more finds its pipe closed. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
const MAX_TEXT = 200;
const isWindows = process.platform === "win32";

/**
 * Runs a program until it exits with 0; its input is empty, its output bounded. Rejects with a SinkError for every other
 * end. What it started itself is killed with it, where it doesn't end in time.
 */
export function runCommand({ argv, env, timeoutMs, graceMs, signal }: CommandRun): Promise<void> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new SinkError("aborted", `${program} wasn't started: the core stops`));
      return;
    }
    let child: ChildProcess;
    try {
      // A group of its own, so that a hanging program can be ended with what it started.
      child = spawn(program, args, {
        env: { ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: !isWindows,
        windowsHide: true,
      });
    } catch (error) {
      reject(toSpawnError(program, error));
      return;
    }
    const output = [collect(child.stdout), collect(child.stderr)];
    let isLate = false;
    let killTimer: NodeJS.Timeout | undefined;
    const termTimer = setTimeout(() => {
      isLate = true;
      killGroup(child, "SIGTERM");
      killTimer = setTimeout(() => killGroup(child, "SIGKILL"), graceMs);
    }, timeoutMs);
    const settle = (run: () => void): void => {
      clearTimeout(termTimer);
      clearTimeout(killTimer);
      signal.removeEventListener("abort", onAbort);
      // A grandchild may hold the pipes for ever.
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      run();
    };
    const onAbort = (): void => {
      killGroup(child, "SIGKILL");
      settle(() =>
        reject(new SinkError("aborted", `${program} was ended: it took too long, or the core stops`)),
      );
    };
    signal.addEventListener("abort", onAbort, { once: true });
    child.once("error", (error) => settle(() => reject(toSpawnError(program, error))));
    child.once("exit", (code, by) => {
      if (isLate) killGroup(child, "SIGKILL");
      settle(() => {
        if (isLate)
          reject(new SinkError("timeout", `${program} took longer than ${timeoutMs} ms and was ended`));
        else if (code === 0) resolve();
        else reject(new SinkError("unavailable", toExitText(program, code, by, output)));
      });
    });
  });
}

/** The beginning of what a stream gives; the rest is read, up to a bound, and thrown away. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let readBytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    readBytes += chunk.length;
    if (keptBytes < KEPT_BYTES) {
      const part = chunk.subarray(0, KEPT_BYTES - keptBytes);
      kept.push(Buffer.from(part));
      keptBytes += part.length;
    }
    if (readBytes > MAX_READ_BYTES && "destroy" in stream) (stream as { destroy(): void }).destroy();
  });
  // What it says is only text for a failure: its exit tells how it went.
  stream?.on("error", () => undefined);
  return () => Buffer.concat(kept).toString("utf8");
}

/** The last line of what it said, of errors first. */
function toExitText(
  program: string,
  code: number | null,
  by: NodeJS.Signals | null,
  [stdout = () => "", stderr = () => ""]: readonly (() => string)[],
): string {
  const said = (stderr().trim() || stdout().trim()).split("\n").at(-1) ?? "";
  // Whatever it prints must not move a cursor.
  const text = said.slice(0, MAX_TEXT).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  const end = code === null ? `was ended by ${by ?? "a signal"}` : `exited with ${code}`;
  return `${program} ${end}${text === "" ? "" : `: ${text}`}`;
}

function toSpawnError(program: string, error: unknown): SinkError {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const why = code === "ENOENT" ? "there is no such program" : code;
  return new SinkError("unavailable", `${program} can't be run: ${why}`, { cause: error });
}

/** A signal for a program and all that it started; what is gone already needs none. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (isWindows) child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) child.kill(signal);
  }
}
