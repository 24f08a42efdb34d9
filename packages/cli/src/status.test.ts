import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { runInProcess } from "./testing/run-in-process.js";
import { CALM_EXTENSION, FULL_CORE, startCore } from "./testing/scripted-core.js";

/** The same core as a Rust one may be: no trends or forecasts, and a health check of its own. */
const RUST_CORE = {
  ...Object.fromEntries(
    Object.entries(FULL_CORE).filter(
      ([name]) => !["system/pressure-trends", "system/pressure-broker-extension"].includes(name),
    ),
  ),
  "health-check": { healthy: true },
};

const UNDETECTED = {
  ...FULL_CORE,
  "system/docker-tier-stats": { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false },
  "system/docker-tier-probe": { kind: "notFound", path: "/var/run/docker.sock", reason: "no such\nfile" },
};

describe("continuum status", () => {
  it("shows a row a tier, the counters, and what to do about a full disk", async () => {
    await using core = await startCore(FULL_CORE);
    const { exitCode, stdout, stderr } = await runInProcess(["status", "--url", core.path]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const [docker, vram, counters, warning] = stdout.split("\n");
    expect(docker).toMatch(
      /^docker {2}\[#+-\] +970\.0 MB \/ 1\.0 GB +97 % +critical +↗ \+7\.0 % in 1 min {2}full in 12 min$/u,
    );
    expect(vram).toMatch(/^vram {4}\[#+-+\] +3\.0 GB \/ 24\.0 GB +12 % +normal +–$/u);
    expect(counters).toBe("evictions 3, freed 8.2 GB");
    expect(warning).toMatch(/^warning: the Docker disk is 97 % full .*--evict conservative/u);
  });

  it("shows and warns of a disk that runs out of inodes before bytes", async () => {
    const state = FULL_CORE["system/pressure-broker-state"] as { pools: { stats: object }[] };
    const [docker] = state.pools;
    const pools = [{ ...docker, pressure: 0.98, stats: { ...docker?.stats, pressure: 0.3 } }];
    const script = {
      ...FULL_CORE,
      "system/docker-tier-stats": { capacityBytes: 1e9, usedBytes: 3e8, pressure: 0.3, detected: true },
      "system/pressure-broker-state": { ...state, pools },
    };
    await using core = await startCore(script);
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout).toMatch(/^docker .* 300\.0 MB \/ 1\.0 GB +98 % +critical/mu);
    expect(stdout).toMatch(/^warning: the Docker disk runs out of inodes \(98 % are used\); /mu);
  });

  it("says what relief does, and which episodes last, where there is something to say", async () => {
    const [docker, vram] = CALM_EXTENSION.relief;
    const { atMs } = CALM_EXTENSION;
    const busy = { ...docker, state: "relieving", roundsInRelief: 2, freedBytesInRelief: 3_200_000_000 };
    const stuck = { ...vram, state: "ineffective", ineffectiveRounds: 3, notBeforeMs: atMs + 240_000 };
    const alert = {
      tierName: "vram",
      pressure: 0.97,
      tier: "critical",
      bytesFreed: 0,
      actionTaken: true,
      atMs: atMs - 300_000,
    };
    const episode = {
      episodeId: "e",
      kind: "repeated",
      alert,
      startedAtMs: atMs - 1_500_000,
      endedAtMs: null,
      highestTier: "critical",
      timeToFullMs: null,
      biggestConsumer: { kind: "image", name: "app\n:1", sizeBytes: 500_000_000 },
      nextCommand: "continuum usage",
      messageCount: 2,
      text: "as one line",
    };
    const extension = { ...CALM_EXTENSION, relief: [busy, stuck], episodes: [episode] };
    await using core = await startCore({ ...FULL_CORE, "system/pressure-broker-extension": extension });
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout.split("\n").slice(2, 5)).toEqual([
      "docker: relief under way: round 2, 3.2 GB freed so far",
      "vram: relief is ineffective: 3 rounds in a row freed next to nothing; the next try in 4 min",
      "vram: alert open for 25 min; told 5 min ago: at worst critical, 0 B freed, the biggest is image app :1 (500.0 MB); next: continuum usage",
    ]);
  });

  it.each([
    [
      { state: "backingOff", notBeforeMs: CALM_EXTENSION.atMs + 5_000 },
      "docker: relief failed; the next try in 5 s",
    ],
    [{ state: "backingOff", notBeforeMs: CALM_EXTENSION.atMs - 1 }, "docker: relief failed"],
    [{ state: "stale" }, "docker: the figures are old: it couldn't be read lately"],
    // It can't be effective: it isn't let.
    [{ state: "ineffective", ineffectiveRounds: 1 }, "evictions 3, freed 8.2 GB"],
    [{ state: "coolingDown" }, "evictions 3, freed 8.2 GB"],
  ])("says of %o: %s", async (change, line) => {
    const relief = [{ ...CALM_EXTENSION.relief[0], ...change }];
    const extension = { ...CALM_EXTENSION, relief };
    await using core = await startCore({ ...FULL_CORE, "system/pressure-broker-extension": extension });
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout.split("\n")[2]).toBe(line);
  });

  it("works with a core that knows no trends", async () => {
    await using core = await startCore(RUST_CORE);
    const { exitCode, stdout } = await runInProcess(["status"], { env: { CONTINUUM_CORE_URL: core.path } });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^docker .* critical +–$/mu);
    expect(stdout).not.toMatch(/full in/u);
    expect(stdout).toContain("remove by hand what nobody needs");
  });

  it("says what was tried for a tier that wasn't found", async () => {
    await using core = await startCore(UNDETECTED);
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout).toMatch(/^docker +not detected$/mu);
    expect(stdout).toMatch(/^docker: tried \/var\/run\/docker\.sock: no such file$/mu);
    expect(stdout).not.toContain("warning");
  });

  it("says why a system isn't supported", async () => {
    const probe = { kind: "unsupported", os: "aix", reason: "no Docker there" };
    await using core = await startCore({ ...UNDETECTED, "system/docker-tier-probe": probe });
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout).toMatch(/^docker: not supported on aix: no Docker there$/mu);
  });

  it("shows a pressure over 1 as it is, and a Docker tier that is no pool", async () => {
    await using core = await startCore({
      ...FULL_CORE,
      "system/docker-tier-stats": { capacityBytes: 10, usedBytes: 15, pressure: 1.5, detected: true },
      "system/pressure-broker-state": {
        globalPressure: 0,
        globalTier: "normal",
        pools: [],
        evictionsFired: 0,
        bytesFreedTotal: 0,
      },
    });
    const { stdout } = await runInProcess(["status", "--url", core.path]);
    expect(stdout).toMatch(/^docker .*15 B \/ 10 B +150 % +critical/mu);
  });

  it.each([40, 60, 75, 80, 120, 300])("fits a terminal of %i columns", async (columns) => {
    await using core = await startCore(FULL_CORE);
    const { stdout } = await runInProcess(["status", "--url", core.path], { isTTY: true, columns });
    const rows = stdout.split("\n").slice(0, 2);
    const bar = /\[[#-]+\]/u.exec(rows[0] ?? "")?.[0].length ?? 0;
    expect(bar).toBeLessThanOrEqual(30);
    if (columns >= 120) expect(bar).toBe(30);
    if (columns >= 60) for (const row of rows) expect(stringWidth(row)).toBeLessThanOrEqual(columns);
    expect(rows[0]).toContain("critical");
  });

  it("is coloured on a terminal only, and never with NO_COLOR", async () => {
    await using core = await startCore(FULL_CORE);
    const args = ["status", "--url", core.path];
    const escape = "\u001b[";
    expect((await runInProcess(args, { isTTY: true, columns: 100 })).stdout).toContain(escape);
    expect((await runInProcess(args)).stdout).not.toContain(escape);
    expect((await runInProcess(args, { isTTY: true, env: { NO_COLOR: "1" } })).stdout).not.toContain(escape);
  });

  it("prints one JSON object with --json", async () => {
    await using core = await startCore(RUST_CORE);
    const { stdout } = await runInProcess(["status", "--json", "--url", core.path]);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(report)).toEqual([
      "endpoint",
      "dockerTier",
      "probe",
      "broker",
      "trends",
      "extension",
      "evict",
      "warnings",
    ]);
    expect(report).toMatchObject({
      endpoint: `unix://${core.path}`,
      dockerTier: FULL_CORE["system/docker-tier-stats"],
      probe: FULL_CORE["system/docker-tier-probe"],
      broker: FULL_CORE["system/pressure-broker-state"],
      trends: null,
      extension: null,
      evict: null,
    });
    expect(report["warnings"]).toHaveLength(1);
    await using full = await startCore(FULL_CORE);
    const { atMs, forecasts, relief, episodes } = CALM_EXTENSION;
    const whole = await runInProcess(["status", "--json", "--url", full.path]);
    expect(JSON.parse(whole.stdout)).toMatchObject({
      extension: { atMs, forecasts, relief, episodes },
      evict: "off",
    });
  });

  it("fails on a core whose figures aren't of the contract", async () => {
    await using core = await startCore({ ...FULL_CORE, "system/docker-tier-stats": { detected: true } });
    const { exitCode, stdout, stderr } = await runInProcess(["status", "--url", core.path]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("capacityBytes");
  });
});
