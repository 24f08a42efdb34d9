import { PressureBroker } from "@continuum/broker-core";
import { FakePool, ManualClock, toReading } from "@continuum/broker-core/testing";
import type { AlertMessage } from "@continuum/wire-types";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { EventBus } from "../runtime/event-bus.js";
import { createAlertsModule } from "./alerts-module.js";

const log = pino({ level: "silent" });

/** A core's broker and alerts over a store that outlives them. */
function startAlerts(
  store: Map<string, unknown>,
  clock: ManualClock,
  options: {
    readonly isEvictionOn?: boolean;
    readonly goneAfterMs?: number;
    readonly biggestKind?: string;
  } = {},
) {
  const broker = new PressureBroker({ clock });
  const events = new EventBus(log);
  const messages: AlertMessage[] = [];
  const alerts = createAlertsModule({
    broker,
    clock,
    actAbove: 0.8,
    isEvictionOn: options.isEvictionOn ?? true,
    biggestConsumer: () => ({
      kind: options.biggestKind ?? "image",
      name: "db:16\u001b[2J",
      sizeBytes: 62_000_000,
    }),
    goneAfterMs: () => options.goneAfterMs ?? null,
    store: {
      load: () => new Map(store),
      put: (key, value) => {
        // As on disk: what comes back is another object.
        if (value === null) store.delete(key);
        else store.set(key, JSON.parse(JSON.stringify(value)));
      },
    },
  });
  events.subscribe(["alert-message"], ({ data }) => messages.push(data as AlertMessage));
  events.subscribe(["broker-state", "relief-outcome"], (event) => alerts.onEvent(event));
  broker.addAlertSink((_alert, outcome) => {
    events.publish({ name: "relief-outcome", data: outcome });
  });
  void alerts.start({ log, clock, events, signal: new AbortController().signal });
  const round = async (): Promise<void> => {
    const { done } = await broker.relieve();
    events.publish({ name: "broker-state", data: broker.snapshot() });
    await done;
    // What a round tells is heard in a turn of its own.
    await clock.advance(0);
  };
  const tick = async (): Promise<void> => {
    await round();
    await clock.advance(5_000);
  };
  return { broker, alerts, messages, round, tick };
}

const kinds = (messages: readonly AlertMessage[]): string[] => messages.map(({ kind }) => kind);

describe("the alerts of a core", () => {
  it("say tier, pressure, what was freed, the biggest consumer and what to type next", async () => {
    const core = startAlerts(new Map(), new ManualClock());
    const pool = new FakePool("docker", { usedBytes: 97_000, capacityBytes: 100_000 });
    core.broker.register(pool);
    await core.tick();
    expect(core.messages[0]?.text).toBe(
      "📢 PressureAlert tier=docker severity=critical pressure=0.97 freed=37.0kB action=evicted state=fired " +
        'biggest="image db:16?[2J 62.0 MB" next="continuum history"',
    );
  });

  it.each([0, 1_300, 2_600, 4_900])(
    "of a fast fill say when it is full (begun %d ms after a reading)",
    async (lateMs) => {
      const clock = new ManualClock();
      const core = startAlerts(new Map(), clock);
      const pool = new FakePool("docker", { usedBytes: 35e9, capacityBytes: 100e9 });
      // Nothing can be had of it: relief is tried, and tells.
      pool.onEvict = () =>
        Promise.resolve({
          claimedBytes: 0,
          deleted: [],
          wouldDelete: [],
          dryRun: false,
          shortfall: "in use",
        });
      core.broker.register(pool);
      const startedMs = clock.monotonicMs() + 60_000 + lateMs;
      // 35 % to full in 36 s, each second a little faster or slower than the one before.
      const levelAt = (ms: number): number =>
        0.35 + Math.max(0, ms) * (0.65 / 36_000) + 0.0005 * Math.sin(ms / 700);
      const ticksMs: number[] = [];
      let firstMs: number | null = null;
      let told = 0;
      while (clock.monotonicMs() - startedMs < 35_000) {
        const ms = clock.monotonicMs() - startedMs;
        pool.usedBytes = Math.round((ms > 0 ? levelAt(ms) : 0.35) * 100e9);
        await core.round();
        const forecast = core.broker.forecast("docker")?.timeToFullMs ?? null;
        if (forecast !== null) {
          firstMs ??= ms;
          expect(Math.abs(forecast - (36_000 - ms))).toBeLessThan(0.15 * Math.max(36_000 - ms, 5_000));
        }
        for (const { timeToFullMs } of core.messages.splice(0)) {
          const trueMs = startedMs + 36_000 - clock.monotonicMs();
          expect(timeToFullMs).not.toBeNull();
          expect(Math.abs((timeToFullMs ?? 0) - trueMs)).toBeLessThan(0.15 * Math.max(trueMs, 5_000));
          told += 1;
        }
        ticksMs.push(core.broker.nextTickMs(5_000));
        await clock.advance(ticksMs.at(-1) ?? 5_000);
      }
      expect(told).toBeGreaterThanOrEqual(2);
      expect(firstMs).toBeLessThan(24_000);
      expect(Math.min(...ticksMs)).toBe(250);
    },
  );

  it("begin where the relief of the pool itself begins", async () => {
    const core = startAlerts(new Map(), new ManualClock());
    const hot = { usedBytes: 85_000, capacityBytes: 100_000 };
    core.broker.register(new FakePool("late", hot), { actAbove: 0.9 });
    core.broker.register(new FakePool("early", { ...hot, usedBytes: 50_000 }), {
      actAbove: 0.4,
      target: 0.3,
    });
    for (let i = 0; i < 4; i += 1) await core.tick();
    expect(core.messages.map(({ alert }) => alert.tierName)).toEqual(["early"]);
  });

  it("name the command that helps: usage where nothing was deleted, history where something was", async () => {
    const store = new Map<string, unknown>();
    const clock = new ManualClock();
    const core = startAlerts(store, clock);
    const pool = new FakePool("docker", { usedBytes: 97_000, capacityBytes: 100_000 });
    pool.onEvict = () =>
      Promise.resolve({ claimedBytes: 0, deleted: [], wouldDelete: [], dryRun: false, shortfall: "in use" });
    core.broker.register(pool);
    await core.tick();
    expect(core.messages).toMatchObject([{ kind: "fired", nextCommand: "continuum usage" }]);

    // No relief is tried where nothing can be reclaimed, and nothing was deleted: no history, then.
    const idle = startAlerts(new Map(), new ManualClock());
    idle.broker.register(unreclaimable(97_000));
    for (let i = 0; i < 4; i += 1) await idle.tick();
    expect(idle.messages).toMatchObject([
      { kind: "fired", alert: { actionTaken: false }, nextCommand: "continuum usage" },
    ]);

    // Caches have a ledger; the pool of another process has none here.
    const others = startAlerts(new Map(), new ManualClock());
    for (const name of ["cache-hub", "kv"]) {
      others.broker.register(new FakePool(name, { usedBytes: 97_000, capacityBytes: 100_000 }));
    }
    await others.tick();
    expect(others.messages.map(({ nextCommand }) => nextCommand)).toEqual([
      "continuum history",
      "continuum status",
    ]);

    const observing = startAlerts(new Map(), new ManualClock(), { isEvictionOn: false });
    observing.broker.register(new FakePool("docker", { usedBytes: 97_000, capacityBytes: 100_000 }));
    await observing.tick();
    expect(observing.messages).toMatchObject([{ kind: "fired", nextCommand: "continuum plan" }]);

    // A plan can't free what isn't the engine's.
    const full = startAlerts(new Map(), new ManualClock(), { isEvictionOn: false, biggestKind: "files" });
    full.broker.register(new FakePool("docker", { usedBytes: 97_000, capacityBytes: 100_000 }));
    await full.tick();
    expect(full.messages).toMatchObject([{ kind: "fired", nextCommand: "continuum usage" }]);
  });

  it("tell once that relief frees nothing more, and say so", async () => {
    const core = startAlerts(new Map(), new ManualClock());
    const pool = new FakePool("docker", { usedBytes: 90_000, capacityBytes: 100_000 });
    core.broker.register(pool);
    let isStuck = false;
    pool.onEvict = () => {
      if (!isStuck) pool.usedBytes -= 5_000;
      isStuck = true;
      return Promise.resolve({
        claimedBytes: 0,
        deleted: [],
        wouldDelete: [],
        dryRun: false,
        shortfall: "in use",
      });
    };
    for (let i = 0; i < 200; i += 1) await core.tick();
    expect(kinds(core.messages)).toEqual(["fired", "escalated"]);
    expect(core.messages[1]).toMatchObject({
      alert: { bytesFreed: 5_000 },
      nextCommand: "continuum usage",
      text: expect.stringContaining("state=escalated relief=stuck") as string,
    });
  });
});

describe("a restart", () => {
  it("lists what is open before anything new is said, fires nothing again, and resolves it later", async () => {
    const store = new Map<string, unknown>();
    const clock = new ManualClock();
    const before = startAlerts(store, clock);
    before.broker.register(unreclaimable(97_000));
    for (let i = 0; i < 4; i += 1) await before.tick();
    expect(kinds(before.messages)).toEqual(["fired"]);

    const after = startAlerts(store, clock);
    expect(after.alerts.openMessages()).toEqual(before.messages);
    const again = unreclaimable(97_000);
    after.broker.register(again);
    for (let i = 0; i < 20; i += 1) await after.tick();
    expect(after.messages).toEqual([]);
    again.usedBytes = 10_000;
    for (let i = 0; i < 130; i += 1) await after.tick();
    expect(after.messages).toMatchObject([
      { kind: "resolved", episodeId: before.messages[0]?.episodeId, messageCount: 2 },
    ]);
    expect(after.messages[0]?.text).not.toContain("reason=");
    expect(after.alerts.openMessages()).toEqual([]);
    expect(startAlerts(store, clock).alerts.openMessages()).toEqual([]);
  });

  it("gives the pool of another process the time to come that it may be silent", async () => {
    const store = new Map<string, unknown>();
    const clock = new ManualClock();
    const before = startAlerts(store, clock, { goneAfterMs: 60_000 });
    before.broker.register(new FakePool("kv", { usedBytes: 97_000, capacityBytes: 100_000 }));
    await before.tick();
    expect(kinds(before.messages)).toEqual(["fired"]);

    const after = startAlerts(store, clock);
    for (let i = 0; i < 11; i += 1) await after.tick();
    expect(after.messages).toEqual([]);
    expect(after.alerts.openMessages()).toHaveLength(1);
    // It comes in time, and goes: from now on it is gone when the broker doesn't have it.
    after.broker.register(new FakePool("kv", { usedBytes: 79_000, capacityBytes: 100_000 }));
    await after.tick();
    expect(after.messages).toEqual([]);
    after.broker.unregister("kv");
    await after.tick();
    expect(after.messages).toMatchObject([
      {
        kind: "resolved",
        text: expect.stringContaining("state=resolved reason=gone") as string,
      },
    ]);

    // One that doesn't come is gone.
    const other = startAlerts(new Map([["kv", kept(store, before.messages)]]), clock);
    for (let i = 0; i < 14; i += 1) await other.tick();
    expect(other.messages).toMatchObject([
      { kind: "resolved", text: expect.stringContaining("reason=gone") as string },
    ]);
  });

  it("keeps the day's eight messages, and takes nothing that isn't whole", async () => {
    const store = new Map<string, unknown>();
    const clock = new ManualClock();
    let said = 0;
    for (let i = 0; i < 12; i += 1) {
      const core = startAlerts(store, clock);
      core.broker.register(unreclaimable(90_000));
      await core.tick();
      core.broker.unregister("docker");
      await core.tick();
      said += core.messages.length;
    }
    expect(said).toBe(7);
    const broken = new Map<string, unknown>([
      ["a", null],
      ["b", { seenAtMs: 1, startedAtMs: 1, episode: null }],
      ["c", { ...(store.get("docker") as object), message: { text: 1 } }],
    ]);
    expect(startAlerts(broken, clock).alerts.openMessages()).toEqual([]);
  });
});

/** A pool of which nothing can be freed, and that says so. */
function unreclaimable(usedBytes: number): FakePool {
  const pool = new FakePool("docker", { usedBytes, capacityBytes: 100_000 });
  pool.onRead = () => {
    const figures = { usedBytes: pool.usedBytes, capacityBytes: pool.capacityBytes };
    return Promise.resolve(toReading({ ...figures, reclaimableBytes: 0 }));
  };
  return pool;
}

/** What was on disk when the first message of a pool had been said. */
function kept(store: ReadonlyMap<string, unknown>, messages: readonly AlertMessage[]): unknown {
  const { episode, ...rest } = store.get("kv") as { readonly episode: object };
  return { ...rest, episode: { ...episode, isOver: false, messageCount: 1 }, message: messages[0] };
}
