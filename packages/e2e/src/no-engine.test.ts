import { connectCore } from "@continuum/ipc-client";
import { createServerCommands } from "@continuum/server-commands";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "./support/cli-process.js";
import { type CoreProcess, startCore } from "./support/core-process.js";

describe("a host without Docker", () => {
  let core: CoreProcess;
  beforeAll(async () => {
    core = await startCore({ env: { DOCKER_HOST: "unix:///nonexistent/docker.sock" } });
  }, 30_000);
  afterAll(() => core[Symbol.asyncDispose]());

  it("answers the full shape: not under management, never full and never no capacity", async () => {
    await using client = connectCore({ url: core.url });
    expect(await client.dockerTierStats()).toEqual({
      capacityBytes: 0,
      usedBytes: 0,
      pressure: 0,
      detected: false,
    });
    expect(await client.dockerTierProbe()).toMatchObject({
      kind: "notFound",
      path: "unix:///nonexistent/docker.sock",
    });
    const state = await client.pressureBrokerState();
    expect(state).toMatchObject({
      globalPressure: 0,
      globalTier: "normal",
      evictionsFired: 0,
      bytesFreedTotal: 0,
    });
    expect(state.pools.map((pool) => pool.name)).toEqual(["docker"]);
  });

  it("refuses admission as unavailable, never as full", async () => {
    await using client = connectCore({ url: core.url });
    await expect(client.resourceAdmit({ tier: "docker", projectedBytes: 1 })).rejects.toMatchObject({
      name: "CommandError",
      errorDetail: { kind: "tierUnavailable", tier: "docker" },
    });
  });

  it("gives a host server every command by name", async () => {
    await using client = connectCore({ url: core.url });
    const commands = createServerCommands(client);
    expect(await commands["system/docker-tier-stats"].execute()).toEqual({
      success: true,
      stats: { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false },
    });
  });

  it("status says what was tried", async () => {
    const { stdout, code } = await runCli(["status"], { CONTINUUM_CORE_URL: core.url });
    expect(code).toBe(0);
    expect(stdout).toContain("docker");
    expect(stdout).toContain("/nonexistent/docker.sock");
  });

  it("keeps its socket to its owner", async () => {
    expect((await stat(core.socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(core.socketPath))).mode & 0o777).toBe(0o700);
  });
});

describe("no core", () => {
  it("is one line with the command that starts it, exit 3", async () => {
    const { stdout, stderr, code } = await runCli(["status"], {
      CONTINUUM_CORE_URL: "unix:///nonexistent/core.sock",
    });
    expect(code).toBe(3);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain("npm start");
  });
});
