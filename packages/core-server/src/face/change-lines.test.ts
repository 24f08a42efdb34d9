import type { EvictedItem } from "@continuum/broker-core";
import { toPressureTier } from "@continuum/broker-core";
import type { BrokerSnapshot, PressureAlert } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { alertMessage } from "../testing/alert-message.js";
import { ChangeLines } from "./change-lines.js";

function state(usedBytes: number, capacityBytes = 100e9): BrokerSnapshot {
  const pressure = capacityBytes === 0 ? 0 : usedBytes / capacityBytes;
  const tier = toPressureTier(pressure);
  const stats = {
    name: "docker",
    entryCount: 0,
    pinnedCount: 0,
    totalBytes: usedBytes,
    maxBytes: capacityBytes,
    pressure,
    hitCount: 0,
    missCount: 0,
    evictionCount: 0,
    inflightCount: 0,
  };
  return {
    globalPressure: pressure,
    globalTier: tier,
    pools: [{ name: "docker", pressure, tier, stats }],
    evictionsFired: 0,
    bytesFreedTotal: 0,
  };
}

const alert = (change: Partial<PressureAlert> = {}): PressureAlert => ({
  tierName: "docker",
  pressure: 0.92,
  tier: "high",
  bytesFreed: 0,
  actionTaken: true,
  atMs: 0,
  ...change,
});

const image = (expectedBytes: number | null): EvictedItem => ({
  key: "k",
  kind: "image",
  expectedBytes,
  reason: "unused",
});

const MIN_AGE = { image: 0, container: 0, buildCache: 0 };
const CACHES = { cacheEvict: "off", cacheMinAgeMs: 604_800_000 } as const;
const changeLines = () => new ChangeLines({ ...CACHES, evict: "standard", minAgeMs: MIN_AGE }, () => 0);

describe("lines for a state", () => {
  it("tell a severity that changes, once, and nothing for one that doesn't", () => {
    const changes = changeLines();
    expect(changes.onState(state(50e9))).toEqual([]);
    expect(changes.onState(state(55e9))).toEqual([]);
    expect(changes.onState(state(82e9))).toEqual([
      "tier docker: normal -> high: 82.0 GB of 100.0 GB used (82 %)",
    ]);
    expect(changes.onState(state(83e9))).toEqual([]);
    expect(changes.onState(state(40e9))).toEqual([
      "tier docker: high -> normal: 40.0 GB of 100.0 GB used (40 %)",
    ]);
  });

  it("leave the first state to the core's first lines", () => {
    expect(changeLines().onState(state(97e9))).toEqual([]);
  });

  it("tell a tier that goes and comes back", () => {
    const changes = changeLines();
    changes.onState(state(50e9));
    expect(changes.onState(state(0, 0))).toEqual(["tier docker: not detected any more"]);
    expect(changes.onState(state(50e9))).toEqual([
      "tier docker: not detected -> normal: 50.0 GB of 100.0 GB used (50 %)",
    ]);
  });
});

describe("lines for a relief", () => {
  it("tell each one that freed something, and what is missing", () => {
    const changes = changeLines();
    const report = { alert: alert({ bytesFreed: 8.2e9 }), wouldDelete: [], shortfall: null, error: null };
    const line = "📢 PressureAlert tier=docker severity=high pressure=0.92 freed=8.2GB action=evicted";
    expect(changes.onRelief(report)).toEqual([line]);
    expect(changes.onRelief({ ...report, shortfall: "the rest is in use" })).toEqual([
      line,
      "docker: less was freed than wanted: the rest is in use",
    ]);
  });

  it("tell what would be deleted and how to switch it on, where only observing", () => {
    const items = [image(1e9), image(2e9), { ...image(null), kind: "build cache" }];
    const observing = new ChangeLines({ ...CACHES, evict: "off", minAgeMs: MIN_AGE }, () => 0);
    expect(observing.onRelief({ alert: alert(), wouldDelete: items, shortfall: "off", error: null })).toEqual(
      [
        "📢 PressureAlert tier=docker severity=high pressure=0.92 freed=0B action=stuck",
        "hot and stuck: docker: eviction is off; it would delete 2 x image, 1 x build cache (at least 3.0 GB)",
        expect.stringContaining("--evict conservative"),
      ],
    );
  });

  it("tell where only observing that the minimum age would spare everything", () => {
    const observing = new ChangeLines(
      {
        ...CACHES,
        evict: "off",
        minAgeMs: { ...MIN_AGE, image: 86_400_000 },
      },
      () => 0,
    );
    expect(observing.onRelief({ alert: alert(), wouldDelete: [], shortfall: "off", error: null })[1]).toBe(
      "hot and stuck: docker: eviction is off; it would find nothing unused older than 1d (--min-age) to delete",
    );
  });

  it("tell of a cache by its own settings, whatever those of Docker are", () => {
    const changes = new ChangeLines({ ...CACHES, evict: "standard", minAgeMs: MIN_AGE }, () => 0);
    const hot = alert({ tierName: "cache-models" });
    expect(changes.onRelief({ alert: hot, wouldDelete: [], shortfall: "off", error: null }).slice(1)).toEqual(
      [
        "hot and stuck: cache-models: eviction is off; it would find nothing unused older than 7d (--cache-min-age) to delete",
        expect.stringContaining("--cache-evict on"),
      ],
    );
  });

  it("tell what failed rather than guess what would be deleted", () => {
    const observing = new ChangeLines({ ...CACHES, evict: "off", minAgeMs: MIN_AGE }, () => 0);
    const error = new Error("no engine answers");
    expect(
      observing.onRelief({ alert: alert(), wouldDelete: [], shortfall: error.message, error }).slice(1),
    ).toEqual(["hot and stuck: docker: no engine answers"]);
  });

  it("tell a tier that stays stuck once, again when it gets worse, and again after it was calm", () => {
    const changes = changeLines();
    const stuck = (tier: string, pressure: number): string[] =>
      changes.onRelief({
        alert: alert({ tier, pressure }),
        wouldDelete: [],
        shortfall: "all in use",
        error: null,
      });
    changes.onState(state(92e9));
    expect(stuck("high", 0.92)).toHaveLength(2);
    expect(stuck("high", 0.93)).toEqual([]);
    expect(stuck("critical", 0.96)[1]).toBe("hot and stuck: docker: all in use");
    expect(stuck("critical", 0.97)).toEqual([]);
    changes.onState(state(30e9));
    changes.onState(state(96e9));
    expect(stuck("critical", 0.96)).toHaveLength(2);
  });
});

describe("a day", () => {
  const DAY_MS = 86_400_000;
  const TICK_MS = 5_000;

  /** Plays a day of ticks and gives the lines that people saw. */
  function day(play: (changes: ChangeLines, tick: number) => string[]): string[] {
    let nowMs = 0;
    const changes = new ChangeLines({ ...CACHES, evict: "standard", minAgeMs: MIN_AGE }, () => nowMs);
    const lines: string[] = [];
    for (let tick = 0; nowMs < DAY_MS; tick += 1) {
      lines.push(...play(changes, tick));
      nowMs += TICK_MS;
    }
    return lines;
  }
  const stuck = { wouldDelete: [], shortfall: "all in use", error: null };

  it("of a tier that is stuck is a few lines", () => {
    const lines = day((changes) => [
      ...changes.onState(state(97e9)),
      ...changes.onRelief({ alert: alert({ tier: "critical", pressure: 0.97 }), ...stuck }),
    ]);
    expect(lines).toHaveLength(2);
  });

  it("of a tier that flaps at every tick, and is now relieved a little and now stuck, is a few lines, and some an hour", () => {
    const lines = day((changes, tick) => [
      ...changes.onState(state(tick % 2 === 0 ? 97e9 : 40e9)),
      ...changes.onRelief({ alert: alert({ bytesFreed: tick % 3 === 0 ? 1_000 : 0 }), ...stuck }),
    ]);
    const changed = lines.filter((line) => line.startsWith("tier "));
    expect(changed.length).toBeLessThanOrEqual(8 + 24);
    expect(lines.filter((line) => line.startsWith("📢")).length).toBeLessThanOrEqual(8 + 24);
    expect(lines.length).toBeGreaterThan(30);
  });

  it("in which a flap ends somewhere tells where, in the end", () => {
    const lines = day((changes, tick) => changes.onState(state(tick < 100 && tick % 2 === 0 ? 97e9 : 40e9)));
    expect(lines.at(-1)).toMatch(/critical -> normal/u);
    expect(lines.length).toBeLessThanOrEqual(9);
  });
});

describe("lines for the messages of an episode", () => {
  it("tell the first one only where no relief told it already, and every later one", () => {
    const changes = changeLines();
    const fired = alertMessage();
    changes.onRelief({ alert: alert(), wouldDelete: [], shortfall: "all in use", error: null });
    expect(changes.onMessage(fired)).toEqual([]);
    for (const kind of ["escalated", "repeated", "resolved"] as const) {
      expect(changes.onMessage({ ...fired, kind })).toEqual([fired.text]);
    }
    expect(changes.onMessage(fired)).toEqual([fired.text]);
  });

  it("tell of the pool of another process nothing that only Docker's settings mean", () => {
    const observing = new ChangeLines({ ...CACHES, evict: "off", minAgeMs: MIN_AGE }, () => 0);
    const report = { alert: alert({ tierName: "kv" }), wouldDelete: [], shortfall: null, error: null };
    expect(observing.onRelief(report).slice(1)).toEqual(["hot and stuck: kv: nothing was freed"]);
  });
});
