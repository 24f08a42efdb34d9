import { describe, expect, it } from "vitest";
import { FakeDockerPool } from "../testing/fake-docker-pool.js";
import { refusal, Rig } from "../testing/remote-pools-rig.js";

const taken = { kind: "invalidParams", path: "name", expected: "a name that nobody else has" };

describe("registering a pool of another process", () => {
  it.each(["a", "kv.1_x-y", "0".repeat(64)])("takes the name %s", (name) => {
    const rig = new Rig();
    expect(rig.register(rig.connect(), { name })).toMatchObject({ name });
    expect(rig.broker.pools()).toHaveLength(1);
  });

  it.each(["", "KV", "a b", "a/b", "ä", "a\n", "\u0000", "0".repeat(65), "..", ".kv", "-kv", "__proto__"])(
    "refuses the name %j",
    (name) => {
      const rig = new Rig();
      expect(refusal(() => rig.register(rig.connect(), { name }))).toMatchObject({ path: "name" });
      expect(rig.broker.pools()).toEqual([]);
    },
  );

  it.each([
    ["reportEveryMs", 99],
    ["reportEveryMs", 600_001],
    ["reportEveryMs", 100.5],
    ["reportEveryMs", Number.NaN],
    ["usedBytes", -1],
    ["usedBytes", 2 ** 53],
    ["capacityBytes", 0.5],
    ["reclaimableBytes", -1],
    ["entryCount", -1],
    ["inflightCount", 1.5],
    ["actAbove", 0],
    ["target", 0.9],
    ["stopBelow", 0.1],
    ["floor", 2],
  ] as const)("refuses %s = %d, and changes nothing", (path, value) => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection);
    const pool = rig.broker.pools()[0];
    expect(refusal(() => rig.register(connection, { [path]: value }))).toMatchObject({
      kind: "invalidParams",
      path,
    });
    expect(rig.broker.pools()).toEqual([pool]);
  });

  it.each([
    [{ target: -1 }, {}, "target", -1],
    [{ actAbove: 0.5 }, {}, "actAbove", 0.5],
    [{ floor: 0.2, actAbove: 0.5 }, {}, "actAbove", 0.5],
    [{ target: 0.75 }, { stopBelow: 0.7 }, "target", 0.75],
    [{ actAbove: 0.65 }, { stopBelow: 0.7 }, "actAbove", 0.65],
  ])("refuses %j where the core's own are %j by a field that was given: %s", (given, policy, path, got) => {
    const rig = new Rig(policy);
    expect(refusal(() => rig.register(rig.connect(), given))).toMatchObject({ path, got: `${got}` });
  });

  it.each([
    [100, 250, 30_000],
    [1_000, 2_500, 30_000],
    [10_000, 25_000, 100_000],
    [600_000, 1_500_000, 6_000_000],
  ])("of one that reports every %d ms says when it is stale and gone", (reportEveryMs, stale, gone) => {
    const rig = new Rig();
    expect(rig.register(rig.connect(), { reportEveryMs })).toEqual({
      name: "kv",
      staleAfterMs: stale,
      goneAfterMs: gone,
    });
  });

  it("takes 64 pools of a connection, the same ones again, and one more in place of one that left", () => {
    const rig = new Rig();
    const connection = rig.connect();
    for (let i = 0; i < 64; i += 1) rig.register(connection, { name: `p${i}` });
    const full = { kind: "overloaded", reason: "this connection has 64 pools" };
    expect(refusal(() => rig.register(connection, { name: "p64" }))).toMatchObject(full);
    rig.register(connection, { name: "p7", usedBytes: 9 });
    expect(rig.unregister(connection, "p7")).toBe(true);
    rig.register(connection, { name: "p64" });
    // Nor more by taking over what others have lost.
    const other = rig.connect();
    rig.register(other, { name: "lost" });
    other.close();
    expect(refusal(() => rig.register(connection, { name: "lost" }))).toMatchObject(full);
    expect(rig.broker.pools()).toHaveLength(65);
    expect(connection.listenerCount).toBe(64);
  });

  it("takes 1,024 pools in all; a lost one counts until it is gone, and can be taken over", async () => {
    const rig = new Rig();
    const connections = Array.from({ length: 16 }, () => rig.connect());
    for (const [c, connection] of connections.entries()) {
      for (let i = 0; i < 64; i += 1) rig.register(connection, { name: `p${c}-${i}` });
    }
    const more = rig.connect();
    expect(refusal(() => rig.register(more, { name: "more" }))).toMatchObject({
      kind: "overloaded",
      reason: "there are 1024 pools of other processes",
    });
    connections[3]?.close();
    expect(refusal(() => rig.register(more, { name: "more" }))).toMatchObject({ kind: "overloaded" });
    rig.register(more, { name: "p3-0" });
    await rig.clock.advance(30_000);
    rig.report(more, { name: "p3-0" });
    for (const [c, connection] of connections.entries()) {
      if (c !== 3) for (let i = 0; i < 64; i += 1) rig.report(connection, { name: `p${c}-${i}` });
    }
    await rig.module.tick(new AbortController().signal);
    expect(rig.broker.pools()).toHaveLength(1_024 - 63);
    rig.register(more, { name: "more" });
  });

  it("leaves the core's own pools alone, by their name too", () => {
    const rig = new Rig();
    const docker = new FakeDockerPool({ usedBytes: 1, capacityBytes: 2 });
    rig.broker.register(docker);
    const connection = rig.connect();
    expect(refusal(() => rig.register(connection, { name: "docker" }))).toMatchObject({
      ...taken,
      got: "docker, which is a pool of the core's own",
    });
    expect(rig.unregister(connection, "docker")).toBe(false);
    expect(refusal(() => rig.report(connection, { name: "docker" }))).toMatchObject({ path: "name" });
    expect(rig.broker.pools()).toEqual([docker]);
  });

  it("lets nobody take over a pool whose connection is open, however silent, and anybody once it is lost", async () => {
    const rig = new Rig();
    const owner = rig.connect();
    const other = rig.connect();
    rig.register(owner);
    await rig.clock.advance(29_999);
    expect(refusal(() => rig.register(other))).toMatchObject(taken);
    expect(rig.unregister(other)).toBe(false);
    expect(refusal(() => rig.report(other))).toMatchObject({ path: "name" });
    owner.close();
    expect(refusal(() => rig.report(other))).toMatchObject({ path: "name" });
    expect(await rig.isStale()).toBe(true);
    rig.register(other, { usedBytes: 300 });
    expect(await rig.broker.read("kv")).toMatchObject({ usedBytes: 300, stale: false });
    expect(refusal(() => rig.report(owner))).toMatchObject({ path: "name" });
  });

  it("of a connection that has closed meanwhile is a pool that is stale, and anybody's", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    connection.close();
    rig.register(connection);
    expect(await rig.isStale()).toBe(true);
    rig.register(rig.connect());
    expect(await rig.isStale()).toBe(false);
  });

  it("brings thresholds of its own", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { usedBytes: 550, actAbove: 0.5, target: 0.3 });
    await rig.round();
    expect(connection.requests).toMatchObject([{ pool: "kv", wantBytes: 250, deadlineMs: 60_000 }]);
  });

  it("without a capacity is not under management", async () => {
    const rig = new Rig();
    rig.register(rig.connect(), { capacityBytes: 0 });
    expect(await rig.broker.read("kv")).toMatchObject({ detected: false, pressure: 0 });
    await rig.round();
    expect(rig.errors).toEqual([]);
  });
});

describe("a pool's reports", () => {
  it("are its figures, stale at two and a half intervals, fresh again with the next, gone at last", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { reportEveryMs: 4_000, entryCount: 3 });
    expect(rig.report(connection, { usedBytes: 600, hitCount: 7 })).toEqual({
      name: "kv",
      staleAfterMs: 10_000,
    });
    expect(await rig.broker.read("kv")).toMatchObject({
      usedBytes: 600,
      capacityBytes: 1_000,
      counters: { entryCount: 0, hitCount: 7 },
    });
    await rig.clock.advance(9_999);
    expect(await rig.isStale()).toBe(false);
    await rig.clock.advance(1);
    expect(await rig.isStale()).toBe(true);
    rig.report(connection, { capacityBytes: 2_000 });
    expect(await rig.isStale()).toBe(false);
    await rig.clock.advance(39_999);
    await rig.module.tick(new AbortController().signal);
    expect(await rig.isStale()).toBe(true);
    await rig.clock.advance(1);
    await rig.module.tick(new AbortController().signal);
    expect(rig.broker.pools()).toEqual([]);
    expect(refusal(() => rig.report(connection))).toMatchObject({ path: "name" });
    rig.register(connection);
    expect(connection.listenerCount).toBe(1);
  });

  it("never lead to an eviction when they are stale", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { usedBytes: 990 });
    await rig.clock.advance(2_500);
    await rig.round();
    expect(connection.requests).toEqual([]);
  });

  it("leave another pool of the name alone when theirs is gone", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { name: "docker" });
    const docker = new FakeDockerPool({ usedBytes: 1, capacityBytes: 2 });
    rig.broker.register(docker);
    await rig.clock.advance(30_000);
    await rig.module.tick(new AbortController().signal);
    expect(rig.broker.pools()).toEqual([docker]);
  });
});
