import { FakePool, ManualClock } from "@continuum/broker-core/testing";
import {
  admissionTicketSchema,
  brokerSnapshotSchema,
  COMMANDS,
  commandFailureSchema,
  dockerTierProbeSchema,
  dockerTierStatsSchema,
  pressureAlertSchema,
  pressureTrendsSchema,
  resourceErrorSchema,
  systemResourcesSchema,
} from "@continuum/wire-types";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { createCore } from "./core.js";
import { resolveConfig } from "./config/resolve-config.js";
import { FakeDockerPool } from "./testing/fake-docker-pool.js";
import { RawClient } from "./testing/raw-client.js";
import { tempDirectory } from "./testing/temp-directory.js";
import { startTestCore } from "./testing/start-test-core.js";

describe("a connection's access level", () => {
  it("allows what the commands' specs say, and refuses the rest by name", async () => {
    await using test = await startTestCore({ access: "public" });
    const client = await test.connect();
    expect(await client.call("health-check", 1)).toMatchObject({ success: true });
    const refused = await client.call("system/docker-tier-stats", 2);
    expect(refused).toMatchObject({
      success: false,
      errorDetail: { kind: "accessDenied", command: "system/docker-tier-stats", accessLevel: "ai-safe" },
    });
    commandFailureSchema.parse(refused.errorDetail);
  });

  it("is everything for the socket's owner", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    expect(await client.call("system/docker-tier-stats", 1)).toMatchObject({ success: true });
  });
});

describe("the commands of a core", () => {
  it("each answer exactly what the contract says", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    const ask = async (command: string, params = {}): Promise<unknown> => {
      const reply = await client.call(command, 1, params);
      expect(reply).toMatchObject({ success: true, requestId: 1 });
      return reply.result;
    };
    expect(dockerTierStatsSchema.parse(await ask("system/docker-tier-stats"))).toEqual({
      capacityBytes: 100_000,
      usedBytes: 50_000,
      pressure: 0.5,
      detected: true,
    });
    expect(dockerTierProbeSchema.parse(await ask("system/docker-tier-probe"))).toMatchObject({
      kind: "detected",
    });
    expect(brokerSnapshotSchema.parse(await ask("system/pressure-broker-state"))).toMatchObject({
      globalPressure: 0.5,
      pools: [{ name: "docker", pressure: 0.5, tier: "normal" }],
    });
    pressureTrendsSchema.parse(await ask("system/pressure-trends", { windowMs: 1000 }));
    const admit = { tier: "docker", projectedBytes: 45_000 };
    expect(admissionTicketSchema.parse(await ask("system/resource-admit", admit))).toMatchObject({
      tier: "docker",
      projectedBytes: 45_000,
      reservedBytes: 0,
      usedBytes: 50_000,
      maxPressureBasisPoints: 9500,
      expiresAtMs: null,
    });
    expect(await ask("health-check")).toEqual({
      healthy: true,
      version: test.core.version,
      pid: process.pid,
      startedAtMs: expect.any(Number) as number,
      endpoint: `unix://${test.socketPath}`,
      evict: "off",
      ready: true,
    });
    const calm = systemResourcesSchema.parse(await ask("system/resources"));
    expect(calm.processes).toBeNull();
    expect(calm.memory.usedBytes + calm.memory.availableBytes).toBe(calm.memory.totalBytes);
    const busy = systemResourcesSchema.parse(
      await ask("system/resources", { includeProcesses: true, topN: 3 }),
    );
    if (process.platform === "linux") expect(busy.processes?.byMemory).toHaveLength(3);
    expect(await ask("events/subscribe", { events: ["pressure-alert"] })).toEqual({
      events: ["pressure-alert"],
    });
    expect(await ask("events/unsubscribe", { events: ["pressure-alert"] })).toEqual({ events: [] });
  });

  it("read the tier freshly, whatever the broker saw last", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    test.pool.usedBytes = 150_000;
    expect(await client.call("system/docker-tier-stats", 1)).toMatchObject({ result: { pressure: 1.5 } });
    expect(
      await client.call("system/resource-admit", 2, { tier: "docker", projectedBytes: 0 }),
    ).toMatchObject({
      errorDetail: { kind: "diskCapacity", usedBytes: 150_000 },
    });
  });

  it("answer the full shape on a host without Docker", async () => {
    await using test = await startTestCore();
    test.pool.vanish();
    await test.core.broker.relieve();
    const client = await test.connect();
    expect(await client.call("system/docker-tier-stats", 1)).toMatchObject({
      result: { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false },
    });
    expect(await client.call("system/docker-tier-probe", 2)).toMatchObject({ result: { kind: "notFound" } });
    expect(await client.call("system/pressure-broker-state", 3)).toMatchObject({
      result: { globalPressure: 0, globalTier: "normal", pools: [{ name: "docker" }] },
    });
    expect(
      await client.call("system/resource-admit", 4, { tier: "docker", projectedBytes: 1 }),
    ).toMatchObject({
      success: false,
      errorDetail: { kind: "tierUnavailable", tier: "docker" },
    });
  });
});

describe("admission", () => {
  it.each([
    [45_000, true],
    [45_001, false],
  ])("of %d bytes on a tier of 100,000 with 50,000 used is %s", async (projectedBytes, admitted) => {
    await using test = await startTestCore();
    const client = await test.connect();
    const reply = await client.call("system/resource-admit", 1, { tier: "docker", projectedBytes });
    expect(reply.success).toBe(admitted);
    if (!admitted)
      expect(resourceErrorSchema.parse(reply.errorDetail)).toMatchObject({
        kind: "diskCapacity",
        projectedBytes,
      });
  });

  it("reserves bytes for a time, which are refused to others until they are released or the time is over", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    const admit = (id: number, projectedBytes: number, ttlMs?: number) =>
      client.call("system/resource-admit", id, { tier: "docker", projectedBytes, ttlMs });
    const { result } = await admit(1, 40_000, 60_000);
    const ticket = admissionTicketSchema.parse(result);
    expect(ticket).toMatchObject({ reservedBytes: 40_000, expiresAtMs: ticket.grantedAtMs + 60_000 });
    expect(await admit(2, 5_000)).toMatchObject({ success: true, result: { reservedBytes: 0 } });
    expect(await admit(3, 5_001)).toMatchObject({
      errorDetail: { kind: "diskCapacity", usedBytes: 50_000 },
      error: expect.stringContaining("40.0 kB more are reserved") as string,
    });
    const { ticketId } = ticket;
    const release = (id: number) => client.call("system/resource-release", id, { ticketId });
    expect(await release(4)).toMatchObject({ result: { ticketId, released: true, releasedBytes: 40_000 } });
    expect(await release(5)).toMatchObject({ result: { released: false, releasedBytes: 0 } });
    expect(await admit(6, 45_000, 60_000)).toMatchObject({ success: true });
    for (const ttlMs of [0, -1, 1.5, 86_400_001]) {
      expect(await admit(7, 1, ttlMs)).toMatchObject({
        errorDetail: { kind: "invalidParams", path: "ttlMs" },
      });
    }
  });

  it("names the tiers that exist, and takes no stale or failing reading", async () => {
    await using test = await startTestCore();
    test.core.broker.register(new FakePool("vram", { usedBytes: 0, capacityBytes: 10 }));
    const client = await test.connect();
    const admit = (tier: string, id: number) =>
      client.call("system/resource-admit", id, { tier, projectedBytes: 1 });
    expect((await admit("dokcer", 1)).errorDetail).toMatchObject({
      kind: "tierUnavailable",
      reason: "there is no such tier; tiers: docker, vram",
    });
    expect(await admit("vram", 2)).toMatchObject({ success: true });
    test.pool.stale = true;
    expect((await admit("docker", 3)).errorDetail).toMatchObject({ kind: "tierUnavailable", tier: "docker" });
    test.pool.onRead = () => Promise.reject(new Error("no engine"));
    const failed = resourceErrorSchema.parse((await admit("docker", 4)).errorDetail);
    expect(failed).toMatchObject({
      kind: "tierUnavailable",
      reason: expect.stringContaining("no engine") as string,
    });
  });
});

describe("a wrong request", () => {
  it.each([
    "system/docker-teir-stats",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "",
    "system/",
  ])("for the command %j names those that exist", async (command) => {
    await using test = await startTestCore();
    const client = await test.connect();
    const reply = await client.call(command, 1);
    expect(commandFailureSchema.parse(reply.errorDetail)).toMatchObject({
      kind: "unknownCommand",
      command,
      commands: Object.keys(COMMANDS).sort(),
    });
    expect(reply.error).toContain("commands: events/subscribe, ");
  });

  it("names the nearest command in its text", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    const reply = await client.call("system/docker-teir-stats", 1);
    expect(reply.errorDetail).toMatchObject({ nearest: "system/docker-tier-stats" });
    expect(reply.error).toMatch(
      /^unknown command "system\/docker-teir-stats"; did you mean "system\/docker-tier-stats"\? commands: /u,
    );
  });

  it.each([
    ["system/resource-admit", { tier: "docker", projectedBytes: "many" }, "projectedBytes"],
    ["system/resource-admit", { tier: "docker", projectedBytes: -1 }, "projectedBytes"],
    ["system/resource-admit", { tier: "docker", projectedBytes: 1.5 }, "projectedBytes"],
    ["system/resource-admit", { tier: "docker" }, "projectedBytes"],
    ["system/resources", { topN: 0 }, "topN"],
    ["system/resources", { topN: 101 }, "topN"],
    ["system/pressure-trends", { windowMs: 600_001 }, "windowMs"],
    ["events/subscribe", { events: ["nonsense"] }, "events[0]"],
  ])("%s %j names the parameter", async (command, params, path) => {
    await using test = await startTestCore();
    const client = await test.connect();
    const reply = await client.call(command, 1, params);
    expect(commandFailureSchema.parse(reply.errorDetail)).toMatchObject({
      kind: "invalidParams",
      command,
      path,
    });
    expect(reply.error).toContain(path);
  });

  it("isn't one with a parameter that only a newer client knows, or one named __proto__: nobody sees it", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    expect(await client.call("health-check", 1, { colour: 1 })).toMatchObject({ success: true });
    client.send('{"command":"health-check","requestId":2,"__proto__":{"x":1}}\n');
    expect(await client.next()).toMatchObject({ requestId: 2, success: true });
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("a core under pressure", () => {
  it("relieves its tier on a tick and pushes the alert to those who subscribed", async () => {
    const clock = new ManualClock();
    await using test = await startTestCore({ clock, env: { CONTINUUM_TICK_MS: "1000" } });
    const subscriber = await test.connect();
    await subscriber.call("events/subscribe", 1, { events: ["pressure-alert"] });
    test.pool.usedBytes = 96_000;
    await clock.advance(1000);
    const pushed = await subscriber.next();
    expect(pushed.event).toBe("pressure-alert");
    expect(pressureAlertSchema.parse(pushed.data)).toMatchObject({
      tierName: "docker",
      tier: "critical",
      bytesFreed: 36_000,
      actionTaken: true,
    });
    expect(await subscriber.call("system/pressure-broker-state", 2)).toMatchObject({
      result: { evictionsFired: 1, bytesFreedTotal: 36_000 },
    });
  });

  it("keeps to the thresholds it was given", async () => {
    const clock = new ManualClock();
    const env = { CONTINUUM_TICK_MS: "1000", CONTINUUM_ACT_ABOVE: "0.5", CONTINUUM_TARGET: "0.3" };
    await using test = await startTestCore({ clock, env });
    const client = await test.connect();
    expect(test.pool.requests.length).toBeLessThanOrEqual(1);
    await clock.advance(1);
    expect(await client.call("system/docker-tier-stats", 1)).toMatchObject({ result: { usedBytes: 30_000 } });
  });
});

describe("a core's life", () => {
  it("leaves nothing behind: no socket, no timer, no pool", async () => {
    const clock = new ManualClock();
    const test = await startTestCore({ clock });
    const client = await test.connect();
    await client.call("health-check", 1);
    const stopping = test[Symbol.asyncDispose]();
    await client.closed();
    await stopping;
    expect(test.pool.isClosed).toBe(true);
    await expect(lstat(test.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("is alive before it is ready, and says which module it waits for", async () => {
    await using home = await tempDirectory();
    const pool = new FakeDockerPool({ usedBytes: 50_000, capacityBytes: 100_000 });
    let answer = (): void => undefined;
    const first = new Promise<void>((resolve) => (answer = resolve));
    const read = pool.read.bind(pool);
    pool.read = async (signal) => {
      await first;
      return read(signal);
    };
    const clock = new ManualClock();
    const core = createCore(resolveConfig({}, { CONTINUUM_HOME: home.path }), { dockerPool: pool, clock });
    const starting = core.start();
    try {
      const path = join(home.path, "core.sock");
      await vi.waitFor(() => lstat(path));
      const client = await RawClient.connect(path);
      expect(await client.call("health-check", 1)).toMatchObject({ result: { healthy: true, ready: false } });
      const { result } = (await client.call("runtime/list", 2)) as { result: { modules: unknown[] } };
      expect(result).toMatchObject({ ready: false });
      expect(result.modules).toContainEqual(
        expect.objectContaining({ name: "pressure-broker", essential: true, state: "starting" }),
      );
      answer();
      await starting;
      expect(await client.call("health-check", 3)).toMatchObject({ result: { ready: true } });
      await client.close();
    } finally {
      answer();
      await starting;
      await core.stop();
    }
  });

  it("stops within its bound though a pool never lets go, and what it knows is written", async () => {
    const clock = new ManualClock();
    await using test = await startTestCore({ clock });
    const { evictions } = test.pool;
    test.pool.evictions = { ...evictions, close: () => new Promise(() => undefined) };
    let hasStopped = false;
    const stopping = test.core.stop().then(() => (hasStopped = true));
    await clock.advance(1_700);
    expect(hasStopped).toBe(false);
    await clock.advance(100);
    expect(hasStopped).toBe(true);
    await stopping;
    test.pool.evictions = evictions;
  });

  it("says how what outlives it is kept", async () => {
    await using test = await startTestCore();
    const client = await test.connect();
    expect(await client.call("runtime/list", 1)).toMatchObject({
      result: {
        ready: true,
        // A core in another process's memory keeps nothing.
        state: { durable: false, problem: null, sizeBytes: null, droppedReadings: 0, notes: [] },
        unhandledRejections: 0,
      },
    });
  });

  it("doesn't begin where another runs, which isn't touched, nor is a pool", async () => {
    await using first = await startTestCore();
    const pool = new FakeDockerPool({ usedBytes: 99, capacityBytes: 100 });
    const config = resolveConfig({ socket: first.socketPath }, {});
    const second = createCore(config, { dockerPool: pool });
    await expect(second.start()).rejects.toMatchObject({
      code: "alreadyRunning",
      message: expect.stringContaining(`pid ${process.pid}`) as string,
    });
    expect(pool.requests).toEqual([]);
    expect(pool.isClosed).toBe(true);
    const client = await first.connect();
    expect(await client.call("health-check", 1)).toMatchObject({ success: true });
  });
});
