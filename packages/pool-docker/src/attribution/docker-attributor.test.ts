import { ManualClock } from "@continuum/broker-core/testing";
import type { DockerJournalStatus } from "@continuum/wire-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineClient } from "../engine/engine-client.js";
import type { DetectedMeasurement, DockerMeasurement } from "../probe/docker-measurement.js";
import { hostFiles } from "../probe/host-files.js";
import { StubDocker } from "../testing/stub-docker.js";
import { DockerAttributor, type DockerAttributorOptions } from "./docker-attributor.js";
import { toTierUsage } from "./to-tier-usage.js";

const MINUTE = 60_000;
const never = new AbortController().signal;

describe("DockerAttributor", () => {
  let docker: StubDocker;
  let client: EngineClient;
  let clock: ManualClock;
  let attributor: DockerAttributor;
  let measured: Partial<DetectedMeasurement>;
  let isRemote: boolean;
  const measure = (): Promise<DockerMeasurement> =>
    Promise.resolve({
      kind: "detected",
      source: "engineRoot",
      atMs: clock.nowMs(),
      path: "/d",
      allocatedBytes: 10_000,
      usedBytes: 5000,
      capacityBytes: 10_000,
      inodes: null,
      shrinks: true,
      stale: false,
      ...measured,
    });
  const make = (options: Partial<DockerAttributorOptions> = {}): DockerAttributor =>
    new DockerAttributor({
      locate: () => Promise.resolve({ engine: client, isRemote }),
      files: hostFiles,
      clock,
      measure,
      ...options,
    });
  const dfCount = (): number =>
    docker.engine.calls.filter((call) => call.startsWith("GET /system/df")).length;

  beforeEach(async () => {
    docker = await StubDocker.start();
    clock = new ManualClock();
    client = new EngineClient({ kind: "unix", path: docker.engine.socketPath }, clock);
    measured = {};
    isRemote = false;
    docker.images.push(
      { id: "small", tags: ["a:1"], sizeBytes: 1000, createdAtMs: 5000 },
      { id: "large", tags: ["b:1"], sizeBytes: 3000, createdAtMs: 5000 },
    );
    attributor = make();
  });
  afterEach(async () => {
    await attributor.close();
    await client.close();
    await docker.stop();
  });

  it("says who holds what, how old that is, and what nobody explains", async () => {
    expect(attributor.latest()).toBeNull();
    await attributor.refresh(never);
    await clock.advance(1234);
    expect(attributor.latest()).toMatchObject({
      atMs: clock.nowMs() - 1234,
      ageMs: 1234,
      isRefreshing: false,
      error: null,
      attribution: { accountedBytes: 4000, unexplainedBytes: 1000 },
      reading: { usedBytes: 5000 },
    });
    expect(attributor.latest()?.attribution.entries.map(({ id }) => id)).toEqual(["large", "small"]);
  });

  it("gathers once for all who ask meanwhile, and anew for those who ask later", async () => {
    let release: () => void = () => undefined;
    docker.intercept = ({ path }) =>
      path === "/system/df"
        ? {
            raw: (response) =>
              (release = () => response.end('{"LayersSize":0,"Images":[],"Containers":[],"Volumes":[]}')),
          }
        : null;
    const asked = [attributor.refresh(never), attributor.refresh(never)];
    while (dfCount() === 0) await new Promise((resolve) => setImmediate(resolve));
    // Who has no time left waits no longer; the gathering goes on.
    await attributor.refresh(AbortSignal.abort());
    asked.push(attributor.refresh(never));
    release();
    await Promise.all(asked);
    expect(dfCount()).toBe(1);
    expect(attributor.latest()?.attribution.entries).toEqual([]);
    docker.intercept = () => null;
    await attributor.refresh(never);
    expect(dfCount()).toBe(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it("keeps what it knew when the engine fails, and says why", async () => {
    await attributor.refresh(never);
    docker.intercept = ({ path }) => (path === "/system/df" ? { json: { Images: null } } : null);
    await clock.advance(MINUTE);
    await attributor.refresh(never);
    expect(attributor.latest()).toMatchObject({ ageMs: MINUTE, attribution: { accountedBytes: 4000 } });
    expect(attributor.latest()?.error).toMatch(/system\/df/u);
    docker.intercept = () => null;
    await attributor.refresh(never);
    expect(attributor.latest()).toMatchObject({ ageMs: 0, error: null });
  });

  it("says that no engine answers", async () => {
    attributor = make({ locate: () => Promise.resolve(null) });
    await attributor.refresh(never);
    expect(attributor.latest()).toBeNull();
    expect(attributor.lastError).toMatch(/no engine/u);
  });

  it.each(["locate", "measure"] as const)("gives up after a minute when its %s hangs", async (port) => {
    let reach: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const hang = (): Promise<never> => {
      reach();
      return new Promise(() => undefined);
    };
    attributor = make({ [port]: hang });
    let isDone = false;
    const refreshing = attributor.refresh(never).then(() => (isDone = true));
    await reached;
    await clock.advance(MINUTE - 1);
    expect(isDone).toBe(false);
    await clock.advance(1);
    await refreshing;
    expect(attributor.lastError).toMatch(/60000 ms/u);
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives up after a minute when the engine hangs", async () => {
    let asked: () => void = () => undefined;
    const hangs = new Promise<void>((resolve) => (asked = resolve));
    docker.intercept = ({ path }) => (path === "/system/df" ? { raw: asked } : null);
    const refreshing = attributor.refresh(never);
    await hangs;
    await clock.advance(MINUTE);
    await refreshing;
    expect(attributor.lastError).toMatch(/60000 ms/u);
  });

  it("gives a bug to whoever asked, and works again afterwards", async () => {
    let isBroken = true;
    attributor = make({
      measure: () => (isBroken ? Promise.reject(new TypeError("a bug")) : measure()),
    });
    const both = [attributor.refresh(never), attributor.refresh(never)];
    for (const each of await Promise.allSettled(both)) expect(each).toMatchObject({ status: "rejected" });
    isBroken = false;
    await attributor.refresh(never);
    expect(attributor.latest()).toMatchObject({ isRefreshing: false, error: null });
  });

  it("explains no disk by an older reading, nor by the engine's own words", async () => {
    measured = { stale: true };
    await attributor.refresh(never);
    expect(attributor.latest()?.attribution.unexplainedBytes).toBeNull();
    measured = { source: "engineApi" };
    await attributor.refresh(never);
    expect(attributor.latest()?.attribution.unexplainedBytes).toBeNull();
  });

  it("asks a remote engine neither for logs nor for a disk that isn't there", async () => {
    isRemote = true;
    docker.usedBy.push("large");
    await attributor.refresh(never);
    expect(docker.engine.calls).toEqual(["GET /system/df"]);
    expect(attributor.latest()).toMatchObject({ reading: null, attribution: { unexplainedBytes: null } });
    expect(attributor.apiUsage()).toEqual({ usedBytes: 4000, atMs: clock.nowMs(), stale: false });
    await clock.advance(MINUTE + 1);
    expect(attributor.apiUsage()?.stale).toBe(true);
  });

  it("gathers a remote engine's figures as soon as its disk is asked for, and anew every 15 s", async () => {
    isRemote = true;
    expect(attributor.apiUsage()).toBeNull();
    await expect.poll(() => attributor.apiUsage()?.usedBytes).toBe(4000);
    expect(dfCount()).toBe(1);
    docker.images.splice(0, 1);
    await clock.advance(14_999);
    expect([attributor.apiUsage()?.usedBytes, attributor.latest()?.isRefreshing]).toEqual([4000, false]);
    await clock.advance(1);
    await expect.poll(() => attributor.apiUsage()?.usedBytes).toBe(3000);
    expect(dfCount()).toBe(2);
  });

  it("doesn't come due while it would cost more than a fiftieth of the engine's time", async () => {
    expect(attributor.isDue()).toBe(true);
    attributor = make({
      measure: async () => {
        await clock.advance(2000);
        return await measure();
      },
    });
    await attributor.refresh(never);
    await clock.advance(100_000 - 2000 - 1);
    expect(attributor.isDue()).toBe(false);
    await clock.advance(1);
    expect(attributor.isDue()).toBe(true);
  });

  it("ends with its pool", async () => {
    let asked: () => void = () => undefined;
    const hangs = new Promise<void>((resolve) => (asked = resolve));
    docker.intercept = ({ path }) => (path === "/system/df" ? { raw: asked } : null);
    const refreshing = attributor.refresh(never);
    await hangs;
    await attributor.close();
    await refreshing;
    expect(attributor.lastError).toMatch(/aborted/u);
    expect(clock.pendingTimers).toBe(0);
  });

  it("goes over the wire with the largest entries, and says how many were left out", async () => {
    await attributor.refresh(never);
    const latest = attributor.latest();
    if (latest === null) throw new Error("nothing was gathered");
    const use = { recentUsesMs: [7], firstSeenAtMs: 1, unwatchedUntilMs: null };
    const uses = new Map([["large", { ...use, lastUsedAtMs: 7, useCount: 2 }]]);
    const journal = { durable: true } as DockerJournalStatus;
    const usage = toTierUsage(latest, uses, journal, 1);
    expect(usage.entries).toHaveLength(1);
    expect(usage.entries[0]).toMatchObject({ id: "large", lastUsedAtMs: 7, useCount: 2 });
    expect(usage.omittedCount).toBe(1);
  });
});
