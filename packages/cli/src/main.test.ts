import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FULL_CORE, startCore } from "./testing/scripted-core.js";

const packageDir = fileURLToPath(new URL("..", import.meta.url));
const main = fileURLToPath(new URL("main.ts", import.meta.url));

function start(args: string[]) {
  const nodeArgs = ["--conditions=@continuum/source", "--import", "tsx", main, ...args];
  return spawn(process.execPath, nodeArgs, {
    cwd: packageDir,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
}

describe("the process", { timeout: 30_000 }, () => {
  it.each([
    [0, ["status"]],
    [1, ["call", "nonsense"]],
    [2, ["call", "x", "--params", "{"]],
  ])("exits with %i after %j", async (exitCode, args) => {
    await using core = await startCore(FULL_CORE);
    const child = start([...args, "--url", core.path]);
    child.stdout.resume();
    child.stderr.resume();
    expect(await once(child, "close")).toEqual([exitCode, null]);
  });

  it("exits with 3 without a core", async () => {
    await using core = await ScriptedPeer.absent();
    const child = start(["status", "--url", core.path]);
    expect(await once(child, "close")).toEqual([3, null]);
  });

  it("is quiet when its reader has gone", async () => {
    await using core = await ScriptedPeer.start();
    const child = start(["call", "x", "--url", core.path]);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const request = await core.next();
    child.stdout.destroy();
    request.reply("x".repeat(1_000_000));
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(stderr).toBe("");
  });

  it("ends cleanly with Ctrl-C", async () => {
    await using core = await ScriptedPeer.start();
    const child = start(["call", "x", "--url", core.path]);
    await core.next();
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([130, null]);
  });
});
