import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { runInProcess } from "./testing/run-in-process.js";
import { CALM_EXTENSION, FILLING_HISTORY, FULL_CORE, startCore } from "./testing/scripted-core.js";

/** A core that remembers what it was asked, and knows two pools. */
async function startHistory(): Promise<{ peer: ScriptedPeer; asked: Record<string, unknown>[] }> {
  const asked: Record<string, unknown>[] = [];
  const peer = await ScriptedPeer.start((request) => {
    const { command, params } = request;
    if (command !== "system/pressure-history") {
      request.reply(FULL_CORE[command]);
      return;
    }
    asked.push(params);
    const pool = params["pool"];
    if (pool === "docker") request.reply(FILLING_HISTORY);
    else if (pool === "vram") request.reply({ ...FILLING_HISTORY, pool, points: [] });
    else {
      const reason = "there is no such pool, and there was none in that time; pools: docker, vram";
      request.fail(`system/pressure-history: ${String(pool)}: ${reason}`, {
        kind: "tierUnavailable",
        tier: pool,
        reason,
      });
    }
  });
  return { peer, asked };
}

describe("continuum trend", () => {
  it("draws how a pool went, with its times, and says when it is full", async () => {
    await using core = await startCore(FULL_CORE);
    const { exitCode, stdout, stderr } = await runInProcess(["trend", "docker", "--url", core.path]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const [head, ...chart] = stdout.trimEnd().split("\n");
    expect(head).toBe(
      "docker: 80 % -> 96 % in 119 min; lowest 60 %, highest 96 %; now 969.7 MB of 1.0 GB; full in 12 min",
    );
    expect(chart).toHaveLength(8);
    expect(chart[0]).toMatch(/^ {2}96\.7 % ┤ +╭─+$/u);
    expect(chart[5]).toMatch(/^ {2}60\.0 % ┤ +╰─+╯$/u);
    expect(chart[6]).toMatch(/^ {10}2026-01-02 01:04 +2026-01-02 03:03$/u);
    expect(chart[7]).toBe("120 points, one a minute");
    // What a pipe can't show isn't in it.
    expect(stdout).not.toContain("\u001b");
  });

  it("shows every pool when none is named, also one without points", async () => {
    const { peer, asked } = await startHistory();
    await using core = peer;
    const { exitCode, stdout } = await runInProcess(["trend", "--window", "2h", "--url", core.path]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^docker: 80 %[^]*\n\nvram: nothing was kept of that time\n$/u);
    // By the core's clock.
    const fromMs = CALM_EXTENSION.atMs - 7_200_000;
    expect(asked).toMatchObject([
      { pool: "docker", fromMs },
      { pool: "vram", fromMs },
    ]);
    expect(asked[0]).not.toHaveProperty("resolution");
  });

  it("asks for the resolution that was named, and prints one JSON object with --json", async () => {
    const { peer, asked } = await startHistory();
    await using core = peer;
    const args = [
      "trend",
      "docker",
      "--resolution",
      "hour",
      "--window",
      "1d12h",
      "--json",
      "--url",
      core.path,
    ];
    const { stdout } = await runInProcess(args);
    expect(asked).toMatchObject([{ resolution: "hour", fromMs: CALM_EXTENSION.atMs - 129_600_000 }]);
    expect(JSON.parse(stdout)).toEqual({
      endpoint: `unix://${core.path}`,
      histories: [FILLING_HISTORY],
      forecasts: CALM_EXTENSION.forecasts.slice(0, 1),
    });
  });

  it("works with a core that makes no forecasts", async () => {
    const script = Object.entries(FULL_CORE).filter(([name]) => name !== "system/pressure-broker-extension");
    await using core = await startCore(Object.fromEntries(script));
    const { exitCode, stdout } = await runInProcess(["trend", "docker", "--url", core.path]);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/now 969\.7 MB of 1\.0 GB$/u);
  });

  it("says which pools there are where one isn't known, and that a core keeps no history", async () => {
    const { peer } = await startHistory();
    await using core = peer;
    const { exitCode, stdout, stderr } = await runInProcess(["trend", "nope", "--url", core.path]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^continuum: system\/pressure-history: nope: there is no such pool.*docker, vram\n/u,
    );
    await using rust = await startCore({ "system/pressure-broker-state": {} });
    const refused = await runInProcess(["trend", "docker", "--url", rust.path]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^continuum: system\/pressure-history: unknown command/u);
  });

  it.each([15, 40, 60, 80, 300])("fits a terminal of %i columns", async (columns) => {
    await using core = await startCore(FULL_CORE);
    const { stdout } = await runInProcess(["trend", "docker", "--url", core.path], { isTTY: true, columns });
    // The chart; a sentence wraps where a terminal is narrow.
    const rows = stdout.trimEnd().split("\n").slice(1, -1);
    for (const row of rows)
      expect(stringWidth(row.replace(/\u001b\[\d+m/gu, ""))).toBeLessThanOrEqual(columns);
    expect(rows.length > 0).toBe(columns >= 20);
  });

  it("is coloured on a terminal only, and never with NO_COLOR", async () => {
    await using core = await startCore(FULL_CORE);
    const args = ["trend", "docker", "--url", core.path];
    const terminal = { isTTY: true, columns: 100 };
    expect((await runInProcess(args, terminal)).stdout).toContain("\u001b[31m");
    expect((await runInProcess(args, { ...terminal, env: { NO_COLOR: "1" } })).stdout).not.toContain(
      "\u001b",
    );
  });

  it("draws a level that hardly moves as one, and says when points were left out", async () => {
    const points = FILLING_HISTORY.points.map((point, i) => ({ ...point, pressure: 0.5 + (i % 2) * 1e-4 }));
    const history = { ...FILLING_HISTORY, points, resolution: "raw", truncated: true };
    await using core = await startCore({ ...FULL_CORE, "system/pressure-history": history });
    const { stdout } = await runInProcess(["trend", "docker", "--url", core.path]);
    expect(stdout).toMatch(/ 49\.9 % ┼─+$/mu);
    expect(stdout).toMatch(/^120 points, one a reading; the oldest were left out \(--resolution\)$/mu);
  });

  it.each([
    [["--window", "5"], "--window"],
    [["--window", "1x"], "--window"],
    [["--window", "30s"], "--window"],
    [["--window", "9999d"], "--window"],
    [["--window", "1h x"], "--window"],
    [["--resolution", "second"], "--resolution"],
    [["docker", "vram"], "trend"],
  ])("refuses %o", async (args, text) => {
    const { exitCode, stdout, stderr } = await runInProcess(["trend", ...args, "--url", "/nowhere"]);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(text);
  });

  it("helps with examples", async () => {
    const { exitCode, stdout } = await runInProcess(["trend", "--help"]);
    expect(exitCode).toBe(0);
    for (const text of [
      "--window",
      "--resolution",
      "raw, minute, hour",
      "continuum trend docker --window 6h",
    ]) {
      expect(stdout).toContain(text);
    }
  });
});
