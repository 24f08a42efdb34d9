import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tempDirectory } from "../testing/temp-directory.js";
import { runCommand } from "./run-command.js";

/** Real child processes: node itself, with a script in its arguments. */
const run = (
  script: string,
  more: {
    readonly args?: readonly string[];
    readonly timeoutMs?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<void> =>
  runCommand({
    argv: [process.execPath, "-e", script, "--", ...(more.args ?? [])],
    env: { PATH: process.env["PATH"] },
    timeoutMs: more.timeoutMs ?? 20_000,
    graceMs: 200,
    signal: more.signal ?? new AbortController().signal,
  });

async function isGone(pidFile: string): Promise<boolean> {
  const pid = Number(await readFile(pidFile, "utf8"));
  for (let i = 0; i < 400; i += 1) {
    try {
      process.kill(pid, 0);
      // A zombie that its new parent hasn't waited for yet is gone, too.
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      if (/\) Z /u.test(stat)) return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

describe("a program that says an alert", { timeout: 30_000 }, () => {
  it("gets the text as one argument, no shell near it, and no input", async () => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "got");
    const text = '📢 it\'s "full" $(touch /tmp/x) `id` ; & | > * ~ \\';
    const script =
      "const [file, ...rest] = process.argv.slice(1);" +
      "const input = require('fs').readFileSync(0, 'utf8');" +
      "require('fs').writeFileSync(file, JSON.stringify({ rest, input, path: process.env.PATH !== undefined }))";
    await run(script, { args: [file, text, ""] });
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ rest: [text, ""], input: "", path: true });
  });

  it("fails with what it said last, cleaned, when it exits with anything but 0 or dies", async () => {
    await expect(
      run("console.error('first'); console.error('no \\u001b[2Jroom'); process.exit(3)"),
    ).rejects.toMatchObject({
      code: "unavailable",
      message: `${process.execPath} exited with 3: no ?[2Jroom`,
    });
    await expect(run("console.log('on stdout'); process.exit(1)")).rejects.toMatchObject({
      message: expect.stringContaining("exited with 1: on stdout") as string,
    });
    await expect(
      run("process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)"),
    ).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("was ended by SIGKILL") as string,
    });
  });

  it("says so when there is no such program, or it may not be run", async () => {
    const signal = new AbortController().signal;
    const missing = {
      argv: ["continuum-no-such-program", "x"],
      env: {},
      timeoutMs: 1_000,
      graceMs: 100,
      signal,
    };
    await expect(runCommand(missing)).rejects.toMatchObject({
      code: "unavailable",
      message: "continuum-no-such-program can't be run: there is no such program",
    });
    await expect(runCommand({ ...missing, argv: ["/etc/passwd", "x"] })).rejects.toMatchObject({
      message: "/etc/passwd can't be run: EACCES",
    });
    await expect(runCommand({ ...missing, argv: [process.execPath, "a\0b"] })).rejects.toMatchObject({
      message: expect.stringContaining("ERR_INVALID_ARG_VALUE") as string,
    });
  });

  it("may print garbage and megabytes: 0 is 0, and the memory stays", async () => {
    const before = process.memoryUsage().rss;
    const flood =
      "const b = require('crypto').randomBytes(1 << 20); let n = 0;" +
      "const go = () => { while (n < 12) { n += 1; if (!process.stdout.write(b)) { process.stdout.once('drain', go); return; } } };" +
      "go();";
    await run(flood);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    // Without end: its pipe is closed on it, and that is a failure like others.
    const endless = "const b = Buffer.alloc(1 << 16, 255); for (;;) require('fs').writeSync(2, b)";
    await expect(run(endless)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("is ended with all that it started when it hangs, even if it won't listen", async () => {
    await using directory = await tempDirectory();
    const [own, child] = [join(directory.path, "own"), join(directory.path, "child")];
    // It ignores SIGTERM, and so does what it started, which holds its pipes.
    const deaf = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
    const script =
      `${deaf} const fs = require('fs'); const [own, child] = process.argv.slice(1);` +
      `const c = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(deaf)}], { stdio: 'inherit' });` +
      "fs.writeFileSync(child, String(c.pid)); fs.writeFileSync(own, String(process.pid));";
    await expect(run(script, { args: [own, child], timeoutMs: 1_500 })).rejects.toMatchObject({
      code: "timeout",
    });
    expect(await isGone(own)).toBe(true);
    expect(await isGone(child)).toBe(true);
  });

  it("that ends while what it started lives on holding its output, has ended", async () => {
    await using directory = await tempDirectory();
    const child = join(directory.path, "child");
    const script =
      "const c = require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 8000)'], { stdio: 'inherit' });" +
      "require('fs').writeFileSync(process.argv[1], String(c.pid)); process.exit(0);";
    const startedAt = performance.now();
    await run(script, { args: [child] });
    expect(performance.now() - startedAt).toBeLessThan(7_000);
    process.kill(Number(await readFile(child, "utf8")), "SIGKILL");
  });

  it("is ended at once when the core stops", async () => {
    await using directory = await tempDirectory();
    const own = join(directory.path, "own");
    const abort = new AbortController();
    const script =
      "require('fs').writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1000)";
    const running = run(script, { args: [own], signal: abort.signal });
    const isUp = async (): Promise<boolean> => (await readFile(own, "utf8").catch(() => "")) !== "";
    while (!(await isUp())) await new Promise((resolve) => setTimeout(resolve, 10));
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect(await isGone(own)).toBe(true);
    await expect(run("", { signal: abort.signal })).rejects.toMatchObject({ code: "aborted" });
  });
});
