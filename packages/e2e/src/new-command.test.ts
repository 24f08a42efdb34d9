import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "./support/core-process.js";
import { connectRaw } from "./support/raw-peer.js";
import { copyWorkspace, type Ran, type WorkspaceCopy } from "./support/workspace-copy.js";

const command = "system/docker-tier-summary";
const spec = "schemas/commands/system-docker-tier-summary.json";
const module = "packages/core-server/src/modules/system-resource-module.ts";

/** The steps of CONTRIBUTING.md, "Add a command": only the spec and the handler are written by hand. */
describe("a new command, from its spec to a call over a real socket", () => {
  let copy: WorkspaceCopy;
  beforeAll(async () => {
    copy = await copyWorkspace();
  }, 120_000);
  afterAll(() => copy[Symbol.asyncDispose]());

  const tool = (...args: string[]): Promise<Ran> => copy.run("tsx", ["tools/command.ts", ...args]);
  const typecheck = (): Promise<Ran> => copy.run("tsc", ["-b", "packages/core-server"]);

  it("init writes a spec that is valid as it is, and doesn't overwrite one", async () => {
    expect(await tool("init", command)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(spec) as string,
    });
    expect(await tool("validate")).toMatchObject({ code: 0 });
    const again = await tool("init", command);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("--force") as string });
  });

  it("validate names a mistake by line and column, and generate changes nothing for it", async () => {
    await copy.edit(spec, (text) => text.replace('"type": "string"', '"type": "DockerTierStat"'));
    const { code, stderr } = await tool("validate");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^schemas\/commands\/system-docker-tier-summary\.json:7:\d+: got "DockerTierStat", expected .*; did you mean DockerTierStats\?$/m,
    );
    expect(await tool("generate")).toMatchObject({ code: 1 });
    expect(await copy.run("tsx", ["tools/command.ts", "list"])).toMatchObject({ code: 1 });
    await copy.edit(spec, (text) => text.replace("DockerTierStat", "'short' | 'long'"));
    await copy.edit(spec, (text) =>
      text.replace('"name": "subject"', '"name": "style"').replaceAll("subject", "style"),
    );
  });

  it("a dry run shows what would come of it, and writes nothing", async () => {
    const { code, stdout } = await tool("generate", "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toContain(
      "+++ b/packages/server-commands/src/gen/system-docker-tier-summary-server-command.ts",
    );
    expect(stdout).toMatch(/^\+.*dockerTierSummary\(/m);
    expect(await tool("generate", "--check")).toMatchObject({ code: 1 });
  });

  it("generates, and doesn't compile until somebody handles it", { timeout: 240_000 }, async () => {
    expect(await tool("generate")).toMatchObject({ code: 0 });
    expect(await tool("generate", "--check")).toMatchObject({ code: 0 });
    const unhandled = await typecheck();
    expect(unhandled.code).not.toBe(0);
    expect(unhandled.stdout).toContain(command);

    await copy.edit(module, (text) =>
      text.replace(/type Commands =\s*(\|\s*)?/, `type Commands = "${command}" | `).replace(
        /const handlers: Pick<CommandHandlers, Commands> = \{/,
        `$&
    "${command}": async ({ style }) => {
      const { stats } = await tier();
      return { summary: style === "short" ? String(stats.detected) : JSON.stringify(stats) };
    },`,
      ),
    );
    const handled = await typecheck();
    expect(handled.stdout + handled.stderr).toBe("");
    expect(handled.code).toBe(0);
  });

  it("passes the test that was generated with it", { timeout: 60_000 }, async () => {
    const { code, stdout } = await copy.run(
      "vitest",
      ["run", "docker-tier-summary"],
      "packages/server-commands",
    );
    expect(stdout).toMatch(/3 passed/);
    expect(code).toBe(0);
  });

  it("answers over a real socket", { timeout: 60_000 }, async () => {
    const socketPath = join(copy.dir, "core.sock");
    const args = [
      "--import",
      "tsx",
      "--conditions=@continuum/source",
      "packages/core-server/src/main.ts",
      "--socket",
      socketPath,
    ];
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: copy.dir,
      DOCKER_HOST: "unix:///nonexistent/docker.sock",
    };
    const core = spawn(process.execPath, args, { cwd: copy.dir, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [core.stdout, core.stderr])
      stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    try {
      await until(
        () => (said.includes("listening on") ? true : undefined),
        30_000,
        () => said,
      );
      await using peer = await connectRaw(socketPath);
      peer.send(`{"command":"${command}","style":"short","requestId":1}\n`);
      expect(await peer.next()).toEqual({ success: true, result: { summary: "false" }, requestId: 1 });
      peer.send(`{"command":"${command}","style":"loud","requestId":2}\n`);
      expect(await peer.next()).toMatchObject({
        success: false,
        errorDetail: { kind: "invalidParams", path: "style" },
      });
    } finally {
      core.kill("SIGTERM");
      if (core.exitCode === null) await once(core, "exit");
    }
  });

  it("goes with its spec, and names what is left of it", async () => {
    await copy.remove(spec);
    const { code, stdout } = await tool("generate");
    expect(code).toBe(0);
    expect(stdout).toContain(
      "removed packages/server-commands/src/gen/system-docker-tier-summary-server-command.ts",
    );
    expect(stdout).toContain(module);
    expect(await copy.run("tsx", ["tools/generate.ts", "--check"])).toMatchObject({ code: 0 });
  });
});
