import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { describe, expect, it } from "vitest";
import { runInProcess } from "./testing/run-in-process.js";
import { FULL_CORE, startCore } from "./testing/scripted-core.js";

describe("continuum call", () => {
  it("prints the raw result of any command, with its params sent", async () => {
    await using core = await ScriptedPeer.start(({ command, params, reply }) => reply({ command, params }));
    const args = ["call", "something/new", "--params", '{"a":[1,"ä"]}', "--url", core.path];
    const { exitCode, stdout, stderr } = await runInProcess(args);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      `${JSON.stringify({ command: "something/new", params: { a: [1, "ä"] } }, null, 2)}\n`,
    );
  });

  it("says of an attachment that it isn't shown", async () => {
    await using core = await ScriptedPeer.start(({ reply }) => reply(1, Buffer.from("abc")));
    const { stdout, stderr } = await runInProcess(["call", "x", "--url", core.path]);
    expect([stdout, stderr]).toEqual(["1\n", "continuum: 3 bytes came with it, not shown\n"]);
  });

  it("fails with the core's text and detail: 1", async () => {
    await using core = await startCore(FULL_CORE);
    const { exitCode, stdout, stderr } = await runInProcess(["call", "sytem/x", "--url", core.path]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^continuum: sytem\/x: unknown command sytem\/x\ndetail: \{"kind":"unknownCommand",/u,
    );
  });

  it("fails when no answer comes in time: 1", async () => {
    await using core = await ScriptedPeer.start();
    const { exitCode, stderr } = await runInProcess(["call", "x", "--timeout", "30", "--url", core.path]);
    expect([exitCode, stderr]).toEqual([1, "continuum: x: no answer within 30 ms\n"]);
  });

  it("ends with its signal: 130", async () => {
    await using core = await ScriptedPeer.start();
    const controller = new AbortController();
    const run = runInProcess(["call", "x", "--url", core.path], { signal: controller.signal });
    await core.next();
    controller.abort();
    expect(await run).toMatchObject({ exitCode: 130, stdout: "" });
  });
});

describe("what can't be used is exit 2 and one line", () => {
  it.each([
    [["call", "x", "--params", '{"a":tru}'], "position 8"],
    [["call", "x", "--params", '{"a":1'], "ends too early at position 6"],
    [["call", "x", "--params", "{a:1}"], 'unexpected "a" at position 1'],
    [["call", "x", "--params", "[1]"], "must be a JSON object"],
    [["call", "x", "--params", "null"], "must be a JSON object"],
    [["call", "x", "--params", '{"requestId":1}'], "requestId"],
    [["call"], "missing required argument"],
    [["status", "--jsn"], "--jsn"],
    [["stauts"], "status"],
    [[], "continuum --help"],
    [["status", "--timeout", "soon"], "--timeout"],
    [["status", "--timeout", "0"], "--timeout"],
    [["status", "--url", "http://localhost"], "http://localhost"],
  ])("%j", async (args, text) => {
    const { exitCode, stdout, stderr } = await runInProcess(args);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^continuum: .*\n$/u);
    expect(stderr).toContain(text);
  });
});

describe("without a core", () => {
  it.each([["status"], ["call", "x"]])(
    "%j... is exit 3 and one line with what starts it",
    async (...args) => {
      await using core = await ScriptedPeer.absent();
      const { exitCode, stdout, stderr } = await runInProcess([...args, "--url", core.path]);
      expect([exitCode, stdout]).toEqual([3, ""]);
      expect(stderr).toMatch(/^continuum: no core is running on .*npm start.*continuum-core.*\n$/u);
    },
  );
});

describe("help and version", () => {
  it("go to stdout: 0", async () => {
    const help = await runInProcess(["--help"]);
    expect([help.exitCode, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toContain("Examples:");
    expect(await runInProcess(["--version"])).toMatchObject({ exitCode: 0, stdout: "0.1.0\n" });
  });
});
