import { type PoolPolicy, PressureBroker, type ReliefOutcome } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import type { CommandParams, CommandResult, PoolEvictRequest } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { RequestError } from "../request-error.js";
import type { CommandHandlers, RequestConnection, RequestContext } from "../runtime/command-handlers.js";
import { FakeDockerPool } from "../testing/fake-docker-pool.js";
import { createRemotePoolsModule } from "./remote-pools-module.js";

type Command = "system/pool-register" | "system/pool-report" | "system/pool-unregister";

/** A connection that a test closes, and what was sent over it. */
class FakeConnection implements Pick<RequestConnection, "id" | "send" | "onClosed"> {
  readonly requests: PoolEvictRequest[] = [];
  isClosed = false;
  readonly #listeners = new Set<() => void>();

  constructor(readonly id: number) {}

  get listenerCount(): number {
    return this.#listeners.size;
  }

  send(event: string, data: unknown): boolean {
    if (this.isClosed) return false;
    expect(event).toBe("pool-evict");
    this.requests.push(data as PoolEvictRequest);
    return true;
  }

  onClosed(run: () => void): () => void {
    if (this.isClosed) {
      run();
      return () => undefined;
    }
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  close(): void {
    this.isClosed = true;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A broker, the module over it, and connections to call it by; nothing moves but by the clock. */
class Rig {
  readonly clock = new ManualClock();
  readonly errors: string[] = [];
  readonly outcomes: ReliefOutcome[] = [];
  readonly broker = new PressureBroker({
    clock: this.clock,
    policy: { cooldownMs: 0 },
    onError: (error) => this.errors.push(String(error)),
  });
  readonly module;
  #connections = 0;

  constructor(policy: Partial<PoolPolicy> = {}) {
    this.module = createRemotePoolsModule({ broker: this.broker, clock: this.clock, policy });
  }

  connect(): FakeConnection {
    return new FakeConnection((this.#connections += 1));
  }

  call<C extends Command>(
    command: C,
    params: CommandParams<C>,
    connection: FakeConnection,
  ): CommandResult<C> {
    const handler = this.module.handlers[command] as unknown as CommandHandlers[C];
    // All of a context that these handlers touch.
    const context = { connection } as unknown as RequestContext;
    const result = handler(params, context);
    return result as CommandResult<C>;
  }

  register(connection: FakeConnection, params: Partial<CommandParams<"system/pool-register">> = {}) {
    const usual = { name: "kv", capacityBytes: 1_000, usedBytes: 500, reportEveryMs: 1_000 };
    return this.call("system/pool-register", { ...usual, ...params }, connection);
  }

  report(connection: FakeConnection, params: Partial<CommandParams<"system/pool-report">> = {}) {
    return this.call("system/pool-report", { name: "kv", usedBytes: 500, ...params }, connection);
  }

  unregister(connection: FakeConnection, name = "kv"): boolean {
    return this.call("system/pool-unregister", { name }, connection).removed;
  }

  /** A round of the broker; what it started ends when it ends. */
  async round(): Promise<void> {
    const { done } = await this.broker.relieve();
    void done.then((outcomes) => this.outcomes.push(...outcomes));
    await this.clock.advance(0);
  }

  /** A hot pool of a connection, asked to evict. */
  async asked(connection: FakeConnection, params: Partial<CommandParams<"system/pool-register">> = {}) {
    this.register(connection, { usedBytes: 900, ...params });
    await this.round();
    const request = connection.requests.at(-1);
    if (request === undefined) throw new Error("it wasn't asked");
    return request;
  }

  async isStale(name = "kv"): Promise<boolean | null> {
    return (await this.broker.read(name))?.stale ?? null;
  }
}

/** What a refusal says. */
function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof RequestError) return error.detail;
    throw error;
  }
  throw new Error("it wasn't refused");
}

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

describe("an eviction of another process's pool", () => {
  it("is measured by the first report after its answer, whatever is claimed", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId, wantBytes } = await rig.asked(connection);
    expect(wantBytes).toBe(300);
    // What is reported before the answer is no measurement, nor what comes with it.
    rig.report(connection, { usedBytes: 880 });
    rig.report(connection, { usedBytes: 100, evictionId, freedBytes: 800 });
    await rig.clock.advance(100);
    expect(rig.outcomes).toEqual([]);
    rig.report(connection, { usedBytes: 850 });
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ claimedBytes: 800, freedBytes: 50, measured: true, error: null }]);
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 50 });
  });

  it("is measured by a report that comes late, of a process that had no time in between", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    await rig.clock.advance(29_000);
    await rig.round();
    expect(connection.requests).toHaveLength(1);
    rig.report(connection, { usedBytes: 600 });
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 300, measured: true }]);
  });

  it("takes one answer, of its own connection and id; other figures count all the same", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    const open = { kind: "invalidParams", path: "evictionId" };
    expect(refusal(() => rig.report(connection, { usedBytes: 890, evictionId: "another" }))).toMatchObject(
      open,
    );
    expect(await rig.broker.read("kv")).toMatchObject({ usedBytes: 890 });
    const other = rig.connect();
    rig.register(other, { name: "theirs" });
    expect(refusal(() => rig.report(other, { name: "theirs", evictionId }))).toMatchObject(open);
    expect(refusal(() => rig.report(other, { evictionId, usedBytes: 0 }))).toMatchObject({ path: "name" });
    expect(rig.outcomes).toEqual([]);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    expect(refusal(() => rig.report(connection, { usedBytes: 610, evictionId }))).toMatchObject(open);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 290 }]);
    expect(refusal(() => rig.report(connection, { usedBytes: 600, evictionId }))).toMatchObject(open);
    expect(rig.broker.counters.evictionsFired).toBe(1);
  });

  it("says why less was freed, in so many words", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 900, evictionId, error: "x".repeat(600) });
    rig.report(connection, { usedBytes: 900 });
    await rig.clock.advance(0);
    expect(rig.outcomes[0]).toMatchObject({ freedBytes: 0, shortfall: "x".repeat(500) });
    expect(refusal(() => rig.report(connection, { freedBytes: -1 }))).toMatchObject({ path: "freedBytes" });
  });

  it("fails when it isn't answered within a minute; the late answer is refused", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection, { reportEveryMs: 60_000 });
    await rig.clock.advance(59_999);
    expect(rig.outcomes).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0, error: { code: "timeout" } }]);
    const late = () => rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
    expect(refusal(late)).toMatchObject({ path: "evictionId" });
    expect(await rig.broker.read("kv")).toMatchObject({ usedBytes: 500 });
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 0 });
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("isn't measured when no report follows its answer until it is gone", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
    await rig.clock.advance(29_999);
    await rig.module.tick(new AbortController().signal);
    expect(rig.outcomes).toEqual([]);
    await rig.clock.advance(1);
    await rig.module.tick(new AbortController().signal);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0, measured: false, error: { code: "unreachable" } }]);
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 0 });
  });

  it.each([
    ["before its answer", false],
    ["after its answer", true],
  ])(
    "fails when the connection is lost %s: nothing is known of what was freed",
    async (_when, isAnswered) => {
      const rig = new Rig();
      const connection = rig.connect();
      const { evictionId } = await rig.asked(connection);
      if (isAnswered) rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
      connection.close();
      await rig.clock.advance(0);
      expect(rig.outcomes).toMatchObject([
        { freedBytes: 0, measured: false, error: { code: "unreachable" } },
      ]);
      // Stale, so that nothing is asked of it; taken over, it is asked again.
      await rig.round();
      expect(rig.outcomes).toHaveLength(1);
      await rig.clock.advance(60_000);
      const next = rig.connect();
      const again = await rig.asked(next, { usedBytes: 950 });
      expect(again.evictionId).not.toBe(evictionId);
      expect(refusal(() => rig.report(next, { usedBytes: 1, evictionId }))).toMatchObject({
        path: "evictionId",
      });
    },
  );

  it("isn't begun on a connection that is closing", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { usedBytes: 900 });
    connection.isClosed = true;
    await rig.round();
    expect(rig.outcomes).toMatchObject([{ error: { code: "unreachable" } }]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("ends with its pool when that is unregistered, and nobody is told that it is stuck", async () => {
    const rig = new Rig();
    const alerts: unknown[] = [];
    rig.broker.addAlertSink((alert) => void alerts.push(alert));
    const connection = rig.connect();
    await rig.asked(connection);
    expect(rig.unregister(connection)).toBe(true);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0 }]);
    expect([alerts, rig.errors, rig.clock.pendingTimers]).toEqual([[], [], 0]);
    expect(connection.listenerCount).toBe(0);
    expect(rig.unregister(connection)).toBe(false);
  });

  it("ends when the pool is registered anew, which may be asked in its turn", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    const second = await rig.asked(connection);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0 }]);
    expect(refusal(() => rig.report(connection, { evictionId }))).toMatchObject({ path: "evictionId" });
    rig.report(connection, { usedBytes: 600, evictionId: second.evictionId, freedBytes: 300 });
    rig.report(connection, { usedBytes: 600 });
    await rig.clock.advance(0);
    expect(rig.outcomes[1]).toMatchObject({ pool: "kv", claimedBytes: 300 });
    expect(connection.listenerCount).toBe(1);
  });

  it("counts what came with the answer when the core stops before the next report", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    await rig.clock.advance(0);
    await rig.broker.close();
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 300, claimedBytes: 300 }]);
    await rig.module.stop();
    expect([rig.broker.pools(), connection.listenerCount, rig.clock.pendingTimers]).toEqual([[], 0, 0]);
  });
});
