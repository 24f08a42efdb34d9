import { spawn } from "node:child_process";

/** How a child ended; what it wrote to stdout and stderr stands in `output`. */
export interface ChildResult {
  readonly ok: boolean;
  readonly output: string;
}

/** Where and for how long a child runs. */
export interface ChildOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Kills the child and everything it started. */
  readonly signal: AbortSignal;
}

/** Would make a consumer's node or npm behave as the workspace's does: export conditions, the workspace as npm's root. */
const WORKSPACE_VARIABLES =
  /^(NODE_OPTIONS|NODE_PATH|INIT_CWD|npm_(package|lifecycle)_.*|npm_config_local_prefix)$/;

/** Runs a command to its end, its deadline or the abort; never rejects, a failure is `ok: false` with the reason. */
export function runChild(file: string, args: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const { cwd, timeoutMs, signal } = options;
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !WORKSPACE_VARIABLES.test(key)),
  );
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve({ ok: false, output: "interrupted" });
      return;
    }
    // A process group of its own: npm's and tsc's children must not outlive them.
    const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let reason = "";
    const kill = (why: string): void => {
      reason = `${file}: ${why}`;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    };
    const timer = setTimeout(() => {
      kill(`not done after ${timeoutMs / 1000} s`);
    }, timeoutMs);
    const onAbort = (): void => {
      kill("interrupted");
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const end = (ok: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve({ ok: ok && reason === "", output: [output.trim(), reason].filter(Boolean).join("\n") });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    child.once("error", (error) => {
      reason = error.message;
      end(false);
    });
    child.once("close", (code) => {
      end(code === 0);
    });
  });
}
