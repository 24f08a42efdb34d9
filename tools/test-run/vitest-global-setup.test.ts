import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readStartTicks } from "../lab/lab-owner.js";

describe.skipIf(process.platform !== "linux")("a run of vitest", () => {
  let project = "";
  beforeEach(() => {
    // Within the workspace: it finds vitest there.
    project = mkdtempSync(join(import.meta.dirname, "../out-tsc-run-"));
    const config = `import { sharedVitestConfig } from "../../vitest.shared.js";
export default sharedVitestConfig(import.meta.dirname, { include: ["*.run.ts"], reporters: ["default"] });`;
    writeFileSync(join(project, "vitest.config.ts"), config);
  });
  afterEach(() => rmSync(project, { recursive: true, force: true }));

  const start = (body: string) => {
    const test = `import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
test("it", async () => {
  console.log("made", mkdtempSync(tmpdir() + "/left-"));
  ${body}
});`;
    writeFileSync(join(project, "left.run.ts"), test);
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
    const vitest = join(import.meta.dirname, "../../node_modules/vitest/vitest.mjs");
    const child = spawn(process.execPath, [vitest, "run"], { cwd: project, env });
    const output = { text: "" };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output.text += text));
    return { child, output, ended: once(child, "close") as Promise<[number | null, NodeJS.Signals | null]> };
  };

  test("that passed and left something fails, and names it; it is gone", async () => {
    const { output, ended } = start("");
    expect(await ended).toEqual([1, null]);
    expect(output.text).toContain("1 passed");
    const left = /^made (.*)$/mu.exec(output.text)?.[1] ?? "";
    expect(output.text).toContain(`tests: left behind by a test: ${left}\n`);
    expect(existsSync(join(left, ".."))).toBe(false);
  }, 30_000);

  test("that failed says nothing about it; it is gone all the same", async () => {
    const { output, ended } = start("expect(1).toBe(2);");
    expect(await ended).toEqual([1, null]);
    expect(output.text).toContain("1 failed");
    expect(output.text).not.toContain("left behind");
    const left = /^made (.*)$/mu.exec(output.text)?.[1] ?? "";
    expect(existsSync(join(left, ".."))).toBe(false);
  }, 30_000);

  test("that is interrupted takes what it started and made with it", async () => {
    const { child, ended } = start(`const { spawn } = await import("node:child_process");
  console.log("started", spawn("sleep", ["600"], { detached: true }).pid);
  await new Promise(() => undefined);`);
    let [left, pid] = ["", 0];
    for await (const line of createInterface({ input: child.stdout })) {
      left = /^made (.*)$/u.exec(line)?.[1] ?? left;
      pid = Number(/^started (\d+)$/u.exec(line)?.[1] ?? 0);
      if (pid > 0) break;
    }
    expect(readStartTicks(pid)).not.toBeNull();
    child.kill("SIGINT");
    await ended;
    expect(readStartTicks(pid)).toBeNull();
    expect(existsSync(join(left, ".."))).toBe(false);
  }, 30_000);
});
