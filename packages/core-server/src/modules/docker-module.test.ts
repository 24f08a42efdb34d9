import { PoolError } from "@continuum/broker-core";
import { type DockerEvictionControl, EvictionError, type PlanWish } from "@continuum/pool-docker";
import type { DockerEvictionPlan, DockerEvictionRun, DockerUndoRun } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import type { RawReply } from "../testing/raw-client.js";
import { startTestCore, type TestCore } from "../testing/start-test-core.js";

const plan: DockerEvictionPlan = {
  planId: "p",
  createdAtMs: 1,
  expiresAtMs: 2,
  policy: "standard",
  wantBytes: 5,
  usedBytes: 90,
  capacityBytes: 100,
  pressure: 0.9,
  expectedBytes: 5,
  expectedUsedBytes: 85,
  expectedPressure: 0.85,
  shortfallBytes: 0,
  spareBytes: 0,
  entries: [],
  protectedEntries: [],
  protectedCount: 0,
};
const run: DockerEvictionRun = {
  evictionId: "e",
  planId: "p",
  policy: "standard",
  state: "running",
  startedAtMs: 1,
  endedAtMs: null,
  claimedBytes: 0,
  measuredBytes: 0,
  outcomes: [],
  note: null,
};
const undo: DockerUndoRun = {
  undoId: "u",
  state: "finished",
  startedAtMs: 1,
  endedAtMs: 2,
  restoredCount: 0,
  outcomes: [],
  note: null,
};

/** A core over a pool whose evictions a test scripts. */
async function start(
  control: Partial<DockerEvictionControl>,
  env: Record<string, string> = {},
): Promise<TestCore> {
  const core = await startTestCore({ env });
  Object.assign(core.pool.evictions, control);
  return core;
}
const ask = async (
  core: TestCore,
  command: string,
  params: Record<string, unknown> = {},
): Promise<RawReply> => {
  const client = await core.connect();
  client.request(command, 1, params);
  return await client.next();
};

describe("the Docker module", () => {
  it("plans by the core's own policy and target, or by what it is told", async () => {
    const asked: [PlanWish, string][] = [];
    const control: Partial<DockerEvictionControl> = {
      plan: (wish, policy) => {
        asked.push([wish, policy]);
        return Promise.resolve(plan);
      },
    };
    await using core = await start(control, { CONTINUUM_EVICT: "aggressive", CONTINUUM_TARGET: "0.5" });
    expect(await ask(core, "system/docker-evict-plan")).toMatchObject({ result: { planId: "p" } });
    await ask(core, "system/docker-evict-plan", { policy: "conservative", wantBytes: 7 });
    await ask(core, "system/docker-evict-plan", { target: 0 });
    expect(asked).toEqual([
      [{ target: 0.5 }, "aggressive"],
      [{ wantBytes: 7 }, "conservative"],
      [{ target: 0 }, "aggressive"],
    ]);
  });

  it("waits for an end no longer than it is told to, and starts the pool's own work", async () => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    let state = run;
    await using core = await start({ apply: () => Promise.resolve({ state: () => state, ended }) });
    expect(core.pool.isStarted).toBe(true);
    expect(await ask(core, "system/docker-evict-apply", { planId: "p", waitMs: 1 })).toMatchObject({
      result: { state: "running" },
    });
    const waiting = ask(core, "system/docker-evict-apply", { planId: "p" });
    state = { ...run, state: "finished", endedAtMs: 9 };
    end();
    expect(await waiting).toMatchObject({ result: { state: "finished" } });
  });

  it("undoes an eviction or an image, not both and not neither", async () => {
    const asked: unknown[] = [];
    await using core = await start({
      undo: (what) => {
        asked.push(what);
        return Promise.resolve({ state: () => undo, ended: Promise.resolve() });
      },
    });
    await ask(core, "system/docker-evict-undo", { evictionId: "e" });
    await ask(core, "system/docker-evict-undo", { image: "app:1" });
    expect(asked).toEqual([{ evictionId: "e" }, { image: "app:1" }]);
    for (const params of [{}, { evictionId: "e", image: "app:1" }]) {
      expect(await ask(core, "system/docker-evict-undo", params)).toMatchObject({
        success: false,
        errorDetail: { kind: "invalidParams", path: "evictionId" },
      });
    }
    expect(asked).toHaveLength(2);
  });

  it("gives what can't be done as a typed failure", async () => {
    await using core = await start({
      apply: () =>
        Promise.reject(
          new EvictionError("too old", { kind: "planExpired", planId: "p", ageMs: 9, maxAgeMs: 8 }),
        ),
      plan: () => Promise.reject(new PoolError("unreachable", "no engine answers")),
    });
    expect(await ask(core, "system/docker-evict-apply", { planId: "p" })).toMatchObject({
      success: false,
      errorDetail: { kind: "planExpired", ageMs: 9 },
    });
    expect(await ask(core, "system/docker-evict-plan")).toMatchObject({
      errorDetail: { kind: "tierUnavailable", tier: "docker" },
    });
    expect(await ask(core, "system/docker-tier-usage")).toMatchObject({
      errorDetail: { kind: "tierUnavailable", tier: "docker" },
    });
    expect(await ask(core, "system/docker-evict-history")).toMatchObject({ result: { records: [] } });
  });

  it.each([
    ["system/docker-tier-usage", { limit: 0 }, "limit"],
    ["system/docker-tier-usage", { maxAgeMs: -1 }, "maxAgeMs"],
    ["system/docker-evict-plan", { wantBytes: -1 }, "wantBytes"],
    ["system/docker-evict-plan", { wantBytes: 1, target: 0.5 }, "target"],
    ["system/docker-evict-plan", { target: 1.5 }, "target"],
    ["system/docker-evict-plan", { policy: "reckless" }, "policy"],
    ["system/docker-evict-apply", {}, "planId"],
    ["system/docker-evict-apply", { planId: "p", waitMs: 60_000 }, "waitMs"],
    ["system/docker-evict-history", { limit: 1_001 }, "limit"],
    ["system/docker-evict-history", { beforeSequence: 0.5 }, "beforeSequence"],
  ])("%s refuses %j by name", async (command, params, path) => {
    await using core = await start({});
    expect(await ask(core, command, params)).toMatchObject({
      success: false,
      errorDetail: { kind: "invalidParams", path },
    });
  });
});
