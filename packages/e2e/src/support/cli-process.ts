import { execFile } from "node:child_process";
import { join } from "node:path";

const cliBin = join(import.meta.dirname, "../../../cli/bin/continuum.js");

/** Runs `continuum` as a user would and gives what it printed and its exit code; never rejects for a non-zero one. */
export function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ stdout: string; stderr: string; code: number }> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [cliBin, ...args],
      { env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 30_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ stdout, stderr, code });
        else reject(error ?? new Error("no exit code"));
      },
    );
  });
}
