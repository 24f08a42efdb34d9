import { execFile } from "node:child_process";
import { join } from "node:path";

const workspace = join(import.meta.dirname, "../../../..");

/** Runs `npm run conformance -- ...`, and gives what it said and its exit code. */
export function runConformance(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ stdout: string; stderr: string; code: number }> {
  return new Promise((resolve, reject) => {
    execFile(
      "npm",
      ["run", "-s", "conformance", "--", ...args],
      { cwd: workspace, env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ stdout, stderr, code });
        else reject(error ?? new Error("no exit code"));
      },
    );
  });
}
