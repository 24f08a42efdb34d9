import { expect, test } from "vitest";
import { runTool } from "./run-tool.js";

test("hands over input, environment and arguments as they are, and collects both outputs", async () => {
  const script = "process.stdin.pipe(process.stdout); console.error(process.env.LAB, process.argv[1])";
  const output = await runTool(process.execPath, ["-e", script, "$(no shell)"], {
    input: "in",
    env: { LAB: "x" },
  });
  expect(output).toEqual({ stdout: "in", stderr: "x $(no shell)\n" });
});

test("an exit code other than 0 rejects and quotes stderr", async () => {
  const failing = runTool(process.execPath, ["-e", 'console.error("why"); process.exitCode = 3']);
  await expect(failing).rejects.toThrow(/exit 3\nwhy/);
});

test("a program that isn't there rejects", async () => {
  await expect(runTool("/nonexistent/tool", [])).rejects.toMatchObject({ code: "commandFailed" });
});

test("input that the program doesn't read harms nothing", async () => {
  const input = Buffer.alloc(4 * 2 ** 20);
  expect((await runTool(process.execPath, ["-e", 'console.log("done")'], { input })).stdout).toBe("done\n");
});

test("a program that takes too long is killed", async () => {
  const hanging = runTool(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { timeoutMs: 50 });
  await expect(hanging).rejects.toMatchObject({ code: "timeout" });
});

test("an abort kills the program; an aborted signal starts none", async () => {
  const controller = new AbortController();
  const hanging = runTool(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    signal: controller.signal,
  });
  controller.abort();
  await expect(hanging).rejects.toMatchObject({ code: "aborted" });
  await expect(runTool("/nonexistent/tool", [], { signal: controller.signal })).rejects.toMatchObject({
    code: "aborted",
  });
});
