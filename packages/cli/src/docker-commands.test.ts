import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { describe, expect, it } from "vitest";
import { runInProcess } from "./testing/run-in-process.js";
import { DOCKER_CORE, startCore } from "./testing/scripted-core.js";

const run = async (args: readonly string[], script = DOCKER_CORE) => {
  await using core = await startCore(script);
  return await runInProcess([...args, "--url", core.path]);
};

describe("continuum usage", () => {
  it("shows who fills the disk, what nothing explains, and how old the figures are", async () => {
    const { exitCode, stdout } = await run(["usage"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^docker: \/var\/lib\/docker: 970\.0 MB of 1\.0 GB used \(97 %\), inodes 12 %; gathered 4 s ago$/mu,
    );
    expect(stdout).toMatch(/^image +700\.0 MB +3$/mu);
    expect(stdout).toMatch(/^volume +unknown +1 +1 of unknown size$/mu);
    expect(stdout).toMatch(/^unexplained +20\.0 MB$/mu);
    expect(stdout).toMatch(
      /^500\.0 MB +400\.0 MB its own +image +unused +last used 2026-01-02 03:04:05 +app:1$/mu,
    );
    expect(stdout).toMatch(/^and 7 smaller ones/mu);
    expect(stdout).toMatch(/kept in memory only/u);
  });

  it("asks for fresh figures, and prints one JSON object", async () => {
    await using core = await ScriptedPeer.start(({ params, reply }) =>
      reply({ ...(DOCKER_CORE["system/docker-tier-usage"] as object), error: JSON.stringify(params) }),
    );
    const { stdout } = await runInProcess(["usage", "--fresh", "--limit", "3", "--json", "--url", core.path]);
    const value = JSON.parse(stdout) as { error: string };
    expect(JSON.parse(value.error)).toEqual({ limit: 3, maxAgeMs: 0 });
  });
});

describe("continuum plan, apply, history, undo", () => {
  it("shows a plan with its reasons, what stays, and how to carry it out", async () => {
    const { exitCode, stdout } = await run(["plan"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^plan p1 \(standard\): frees 400\.0 MB of 370\.0 MB wanted, 97 % -> 57 %$/mu);
    expect(stdout).toMatch(/^1 +400\.0 MB +image +app:1 +nobody uses it$/mu);
    expect(stdout).toMatch(/^unknown +image +db:1 +a container uses it$/mu);
    expect(stdout).toMatch(/continuum apply p1$/mu);
  });

  it("sends what the flags say", async () => {
    await using core = await ScriptedPeer.start(({ params, fail }) => fail(JSON.stringify(params)));
    const params = async (...args: string[]): Promise<unknown> => {
      const { stderr } = await runInProcess([...args, "--url", core.path]);
      return JSON.parse(/\{.*\}/u.exec(stderr)?.[0] ?? "null");
    };
    expect(await params("plan", "--policy", "aggressive", "--free", "1.5GB")).toEqual({
      policy: "aggressive",
      wantBytes: 1_500_000_000,
    });
    expect(await params("plan", "--target", "0.5")).toEqual({ target: 0.5 });
    expect(await params("apply", "p1")).toEqual({ planId: "p1", waitMs: 50_000 });
    expect(await params("apply", "p1", "--timeout", "3000")).toEqual({ planId: "p1", waitMs: 2_000 });
    expect(await params("history", "--eviction", "e1", "--limit", "5")).toEqual({
      evictionId: "e1",
      limit: 5,
    });
    expect(await params("undo", "e1")).toEqual({ evictionId: "e1", waitMs: 50_000 });
    expect(await params("undo", "--image", "app:1")).toEqual({ image: "app:1", waitMs: 50_000 });
  });

  it("shows what became of each entry, and how to take it back", async () => {
    const { exitCode, stdout } = await run(["apply", "p1"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^deleted +398\.0 MB +image +app:1$/mu);
    expect(stdout).toMatch(/continuum undo e1$/mu);
  });

  it("exits with 1 when what was begun failed", async () => {
    const failed = { ...(DOCKER_CORE["system/docker-evict-apply"] as object), state: "failed", note: "gone" };
    const { exitCode, stdout } = await run(["apply", "p1"], {
      ...DOCKER_CORE,
      "system/docker-evict-apply": failed,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^gone$/mu);
  });

  it("shows the ledger, with what brings each thing back", async () => {
    const { stdout } = await run(["history"]);
    expect(stdout).toMatch(
      /^2026-01-02 03:04:05 +deleted +398\.0 MB +image +app:1 +docker pull r\/app@sha256:1 +e1$/mu,
    );
    const none = { records: [], nextBeforeSequence: null, durable: true };
    expect((await run(["history"], { "system/docker-evict-history": none })).stdout).toBe(
      "nothing was evicted yet\n",
    );
  });

  it("shows what went from caches among it, with the command that brings it back", async () => {
    const line = {
      sequence: 7,
      atMs: Date.UTC(2026, 0, 2, 3, 4, 6),
      id: "d1",
      pool: "cache-models",
      key: "models--org--bert/snapshots/abc",
      kind: "revision",
      path: "/srv/hub/models--org--bert/snapshots/abc",
      outcome: "deleted",
      expectedBytes: 440_000_000,
      reason: "last used 30 d ago",
      restoreCommand: "hf download org/bert --revision abc",
    };
    const older = { ...line, sequence: 3, atMs: 0, kind: "directory", path: "/pip/x", restoreCommand: null };
    const caches = { records: [line, older], nextBeforeSequence: 3, durable: true };
    const script = { ...DOCKER_CORE, "system/cache-evict-history": caches };
    const { stdout } = await run(["history"], script);
    expect(stdout.split("\n").map((text) => text.replaceAll(/ +/gu, " "))).toEqual([
      expect.stringMatching(
        /^2026-01-02 03:04:06 deleted 440.0 MB revision \/srv\/hub\/models--org--bert\/snapshots\/abc hf download org\/bert --revision abc cache-models$/u,
      ),
      expect.stringContaining("docker pull"),
      expect.stringMatching(/^1970-01-01 00:00:00 deleted 440.0 MB directory \/pip\/x cache-models$/u),
      "and older ones (--limit)",
      "",
    ]);
    const ofOne = JSON.parse((await run(["history", "--eviction", "e1", "--json"], script)).stdout) as object;
    expect(ofOne).toMatchObject({ caches: null, records: [{ evictionId: "e1" }] });
    expect(JSON.parse((await run(["history", "--json"], script)).stdout)).toMatchObject({ caches });
  });

  it("says what came back and what can't", async () => {
    const { stdout } = await run(["undo", "e1"]);
    expect(stdout).toMatch(/^restored +image +app:1 +tagged app:1$/mu);
    expect(stdout).toMatch(/^impossible +container +old +its writable layer is gone$/mu);
    expect(stdout).toMatch(/1 of 2 came back/u);
  });

  it.each([
    [["plan", "--policy", "all"], "--policy"],
    [["plan", "--free", "much"], "--free"],
    [["plan", "--free", "1GB", "--target", "0.5"], "--free and --target"],
    [["plan", "--target", "1.5"], "--target"],
    [["history", "--limit", "0"], "--limit"],
    [["apply"], "missing required argument"],
    [["undo"], "--image"],
    [["undo", "e1", "--image", "app:1"], "--image"],
  ])("%j is exit 2 and one line", async (args, message) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});
