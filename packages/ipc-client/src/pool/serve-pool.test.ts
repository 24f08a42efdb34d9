import { describe, expect, it } from "vitest";
import { CommandError } from "../command-error.js";
import { ConnectionError } from "../connection-error.js";
import { RustCoreIPCClient } from "../rust-core-ipc-client.js";
import type { ServablePool } from "./servable-pool.js";
import { servePool, type ServePoolOptions } from "./serve-pool.js";
import { type PeerConnection, type PeerRequest, ScriptedPeer } from "../testing/scripted-peer.js";

const counters = {
  entryCount: 1,
  pinnedCount: 0,
  hitCount: 0,
  missCount: 0,
  evictionCount: 0,
  inflightCount: 0,
};

/** A pool whose figures a test sets. */
class TestPool implements ServablePool {
  readonly name = "kv";
  usedBytes = 900;
  stale = false;
  reads = 0;
  onEvict: ServablePool["evict"] = ({ wantBytes }) => {
    this.usedBytes -= wantBytes;
    return Promise.resolve({ claimedBytes: wantBytes, shortfall: null });
  };

  read(): ReturnType<ServablePool["read"]> {
    this.reads += 1;
    const { usedBytes, stale } = this;
    return Promise.resolve({ usedBytes, capacityBytes: 1_000, reclaimableBytes: null, stale, counters });
  }

  evict(request: Parameters<ServablePool["evict"]>[0]): ReturnType<ServablePool["evict"]> {
    return this.onEvict(request);
  }
}

/** A core that knows which pool is registered on which connection, and what was said of it. */
class PoolCore implements AsyncDisposable {
  readonly heard: { readonly command: string; readonly params: Readonly<Record<string, unknown>> }[] = [];
  owner: PeerConnection | null = null;
  /** Refuses a registration where it gives a detail. */
  refuse: (() => unknown) | null = null;
  #changed = (): void => undefined;

  private constructor(readonly peer: ScriptedPeer) {}

  static async create(isThere = true): Promise<PoolCore> {
    const peer = await ScriptedPeer.absent((request) => core.#onRequest(request));
    const core = new PoolCore(peer);
    if (isThere) await peer.listen();
    return core;
  }

  /** Waits until as many were heard that match. */
  async until(command: string, count = 1, match: Record<string, unknown> = {}): Promise<void> {
    const found = (): number =>
      this.heard.filter(
        (each) =>
          each.command === command &&
          Object.entries(match).every(([key, value]) => Object.is(each.params[key], value)),
      ).length;
    while (found() < count) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  /** Asks the pool for space. */
  ask(evictionId: string, wantBytes: number, deadlineMs = 10_000): void {
    this.owner?.push("pool-evict", { pool: "kv", evictionId, wantBytes, deadlineMs });
  }

  /** As a core that was killed and started again. */
  async restart(): Promise<void> {
    await this.peer.kill();
    this.owner = null;
    await this.peer.listen();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }

  #onRequest({ command, params, connection, reply, fail }: PeerRequest): void {
    this.heard.push({ command, params });
    if (command === "events/subscribe" || command === "events/unsubscribe") reply({ events: [] });
    else if (command === "system/pool-register") {
      const detail = this.refuse?.();
      if (detail === undefined) {
        this.owner = connection;
        reply({ name: "kv", staleAfterMs: 1, goneAfterMs: 2 });
      } else fail("refused", detail);
    } else if (command === "system/pool-report") {
      if (this.owner === connection) reply({ name: "kv", staleAfterMs: 1 });
      else fail("unknown", invalid(command, "name"));
    } else reply({ name: "kv", removed: this.owner === connection });
    this.#changed();
  }
}

const invalid = (command: string, path: string): object => ({
  kind: "invalidParams",
  command,
  path,
  expected: "x",
  got: "y",
});

/** Serves a pool of a core for one test. */
function serve(core: PoolCore, pool: TestPool, options: ServePoolOptions = {}) {
  const client = new RustCoreIPCClient({ url: core.peer.path, reconnectForMs: 50 });
  const stop = new AbortController();
  const problems: unknown[] = [];
  const ended = servePool(client, pool, {
    reportEveryMs: 100,
    signal: stop.signal,
    onProblem: (error) => problems.push(error),
    ...options,
  });
  const dispose = async (): Promise<void> => {
    stop.abort();
    await ended.catch(() => undefined);
    await client.close();
  };
  return { client, stop, problems, ended, [Symbol.asyncDispose]: dispose };
}

describe("servePool", () => {
  it("registers, reports, answers with what it freed, reports once more, unregisters", async () => {
    await using core = await PoolCore.create();
    const pool = new TestPool();
    await using served = serve(core, pool, { reportEveryMs: 600_000, policy: { target: 0.4 } });
    await core.until("system/pool-register");
    expect(core.heard.find(({ command }) => command === "system/pool-register")?.params).toEqual({
      name: "kv",
      usedBytes: 900,
      capacityBytes: 1_000,
      ...counters,
      target: 0.4,
      reportEveryMs: 600_000,
    });
    core.ask("e1", 300);
    await core.until("system/pool-report", 1, { evictionId: "e1", freedBytes: 300, usedBytes: 600 });
    // At once, although the next one is due in ten minutes.
    await core.until("system/pool-report", 1, { evictionId: undefined, usedBytes: 600 });
    served.stop.abort();
    await served.ended;
    expect(core.heard.at(-1)).toMatchObject({ command: "system/pool-unregister" });
    expect(served.problems).toEqual([]);
  });

  it("waits for a core that isn't there, and registers again after each restart, at once", async () => {
    await using core = await PoolCore.create(false);
    await using served = serve(core, new TestPool());
    while (served.problems.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(served.problems[0]).toMatchObject({ name: "ConnectionError", code: "notFound" });
    await core.peer.listen();
    await core.until("system/pool-register");
    for (let restart = 2; restart < 5; restart += 1) {
      await core.restart();
      await core.until("system/pool-register", restart);
    }
    core.ask("e1", 100);
    await core.until("system/pool-report", 1, { evictionId: "e1" });
  });

  it("registers again without being asked when its interval is long", async () => {
    await using core = await PoolCore.create();
    await using served = serve(core, new TestPool(), { reportEveryMs: 600_000 });
    await core.until("system/pool-register");
    await core.restart();
    await core.until("system/pool-register", 2);
    expect(served.client.endpoint).toBeDefined();
  });

  it("registers again when the core has forgotten it while the connection stood", async () => {
    await using core = await PoolCore.create();
    await using served = serve(core, new TestPool());
    await core.until("system/pool-register");
    core.owner = null;
    await core.until("system/pool-register", 2);
    expect(served.problems).toEqual([]);
  });

  it("goes on trying for a name that somebody else has, or room that there isn't", async () => {
    await using core = await PoolCore.create();
    const details = [invalid("system/pool-register", "name"), { kind: "overloaded", reason: "full" }];
    core.refuse = () => details.shift();
    await using served = serve(core, new TestPool());
    await core.until("system/pool-register", 3);
    await core.until("system/pool-report", 4);
    expect(served.problems).toHaveLength(2);
  });

  it.each([
    ["a threshold", invalid("system/pool-register", "target")],
    ["a right", { kind: "accessDenied", command: "x", accessLevel: "admin-only" }],
  ])("rejects when the core refuses %s", async (_what, detail) => {
    await using core = await PoolCore.create();
    core.refuse = () => detail;
    await using served = serve(core, new TestPool());
    await expect(served.ended).rejects.toBeInstanceOf(CommandError);
  });

  it("answers for an eviction that failed, was short, or overran its deadline", async () => {
    await using core = await PoolCore.create();
    const pool = new TestPool();
    await using served = serve(core, pool);
    await core.until("system/pool-register");
    pool.onEvict = () => Promise.reject(new Error("no lever"));
    core.ask("e1", 1);
    await core.until("system/pool-report", 1, { evictionId: "e1", freedBytes: 0, error: "no lever" });
    pool.onEvict = () => Promise.resolve({ claimedBytes: 5, shortfall: "the rest is pinned" });
    core.ask("e2", 10);
    await core.until("system/pool-report", 1, {
      evictionId: "e2",
      freedBytes: 5,
      error: "the rest is pinned",
    });
    pool.onEvict = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("too slow"))));
    core.ask("e3", 10, 20);
    await core.until("system/pool-report", 1, { evictionId: "e3", error: "too slow" });
    expect(served.problems.map(String)).toEqual(["Error: no lever", "Error: too slow"]);
  });

  it("reports nothing of an earlier reading", async () => {
    await using core = await PoolCore.create();
    const pool = new TestPool();
    pool.stale = true;
    await using served = serve(core, pool);
    while (pool.reads < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(core.heard.map(({ command }) => command)).toEqual(["events/subscribe"]);
    expect(served.problems).toEqual([]);
  });

  it("ends with its client, and rejects with what onProblem throws", async () => {
    await using core = await PoolCore.create();
    await using served = serve(core, new TestPool());
    await core.until("system/pool-register");
    await served.client.close();
    await served.ended;
    await expect(servePool(served.client, new TestPool())).resolves.toBeUndefined();

    await using absent = await PoolCore.create(false);
    const onProblem = (error: unknown): void => {
      throw error;
    };
    await using throwing = serve(absent, new TestPool(), { onProblem });
    await expect(throwing.ended).rejects.toBeInstanceOf(ConnectionError);
  });
});
