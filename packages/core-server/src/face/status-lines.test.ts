import type { PressureForecast } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { statusLines } from "./status-lines.js";

const stats = {
  name: "docker",
  entryCount: 0,
  pinnedCount: 0,
  totalBytes: 92e9,
  maxBytes: 100e9,
  pressure: 0.92,
  hitCount: 0,
  missCount: 0,
  evictionCount: 0,
  inflightCount: 0,
};
const snapshot = {
  globalPressure: 0.92,
  globalTier: "high",
  pools: [
    { name: "docker", pressure: 0.92, tier: "high", stats },
    {
      name: "vram",
      pressure: 0,
      tier: "normal",
      stats: { ...stats, name: "vram", totalBytes: 0, maxBytes: 0, pressure: 0 },
    },
  ],
  evictionsFired: 3,
  bytesFreedTotal: 8.2e9,
} as const;
const quiet = { atMs: 0, trends: [] };

describe("the live status", () => {
  it("is a row a tier and the broker's counters", () => {
    const lines = statusLines({ ...snapshot, pools: [...snapshot.pools] }, quiet, [], {
      columns: 100,
      color: false,
    });
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^docker +\[#+-+\] +92\.0 GB \/ 100\.0 GB +92 % +high/u);
    expect(lines[1]).toMatch(/^vram +not detected$/u);
    expect(lines[2]).toBe("evictions 3, freed 8.2 GB; Ctrl-C stops");
  });

  it("fits its terminal, leaving the bar out of a narrow one", () => {
    for (const columns of [70, 80, 100, 200]) {
      const [row = ""] = statusLines({ ...snapshot, pools: [...snapshot.pools] }, quiet, [], {
        columns,
        color: false,
      });
      expect(row.length).toBeLessThanOrEqual(columns);
      expect(row.includes("[")).toBe(columns > 70);
    }
  });

  it("says when a tier is full, from now on, where that is known and there is room for it", () => {
    const forecast = {
      name: "docker",
      atMs: 1_000,
      bytesPerSecond: 1e6,
      timeToFullMs: 95_000,
      fullAtMs: 96_000,
      basis: "steady",
    } as const;
    const draw = (columns: number, forecasts: readonly PressureForecast[]): string =>
      statusLines({ ...snapshot, pools: [...snapshot.pools] }, { atMs: 6_000, trends: [] }, forecasts, {
        columns,
        color: false,
      })[0] ?? "";
    expect(draw(100, [forecast])).toMatch(/ full in 90 s$/u);
    expect(draw(70, [forecast])).toMatch(/ full in 90 s$/u);
    expect(draw(100, [{ ...forecast, timeToFullMs: null, fullAtMs: null, basis: "noisy" }])).not.toContain(
      "full",
    );
    expect(draw(100, [{ ...forecast, name: "vram" }])).not.toContain("full");
  });

  it("has colours only where they are wanted", () => {
    const draw = (color: boolean) =>
      statusLines({ ...snapshot, pools: [...snapshot.pools] }, quiet, [], { columns: 100, color }).join("\n");
    expect(draw(true)).toContain("\u001b[");
    expect(draw(false)).not.toContain("\u001b");
  });
});
