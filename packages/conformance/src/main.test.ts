import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toProgram } from "./own-client-subject.js";
import { TinyCore } from "./testing/tiny-core.js";

/** Runs the program as `npm run conformance` does. */
async function conformance(
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [file = "", ...rest] = toProgram(join(import.meta.dirname, "main.ts"));
  const child = spawn(file, [...rest, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  }
  await once(child, "close");
  return { code: child.exitCode, ...output };
}

describe("npm run conformance", () => {
  it("says what passed", async () => {
    await using core = await TinyCore.start(null);
    const { code, stdout } = await conformance(
      "--url",
      `unix://${core.path}`,
      "framing/one request",
      "requests/no JSON",
    );
    expect(stdout).toBe(
      "ok      framing/one request, one reply\nok      requests/no JSON\n2 passed, 0 failed\n",
    );
    expect(await readFile(join(import.meta.dirname, "../README.md"), "utf8")).toContain(stdout);
    expect(code).toBe(0);
  }, 60_000);

  it("says what failed and why, and exits with 1", async () => {
    await using core = await TinyCore.start("clampsIds");
    const { code, stdout } = await conformance("--url", core.path, "requests/the largest id", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      failed: 1,
      outcomes: [
        {
          ok: false,
          problem: expect.stringContaining("requestId: expected 9007199254740991, got -1") as string,
        },
      ],
    });
    expect(code).toBe(1);
  }, 60_000);

  it.each([
    [["--url"], "--url"],
    [[], "one of --url and --client"],
    [["--url", "a", "--client", "b"], "one of --url and --client"],
    [["--url", "http://localhost"], "unix:///PATH"],
    [["--url", "/nonexistent", "--within-ms", "0"], "--within-ms"],
    [["--url", "/nonexistent", "--level", "high"], "--level"],
  ])(
    "refuses %j with 2",
    async (args, text) => {
      const { code, stderr } = await conformance(...args);
      expect(stderr).toContain(text);
      expect(code).toBe(2);
    },
    60_000,
  );

  it("where nobody answers nothing is run, and it exits with 2", async () => {
    const { code, stdout, stderr } = await conformance("--url", "unix:///nonexistent/core.sock");
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^conformance: nobody answers at unix:\/\/\/nonexistent\/core\.sock: connect ENOENT [^\n]*\n$/u,
    );
    expect(code).toBe(2);
  }, 60_000);
});
