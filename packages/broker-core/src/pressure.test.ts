import { describe, expect, it } from "vitest";
import { toPressure, toPressureTier } from "./index.js";

describe("toPressure", () => {
  it.each([
    [1500, 1000, 1.5],
    [0, 0, 0],
    [5, 0, 0],
    [920, 1000, 0.92],
    [0, 1000, 0],
    [Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER],
    [1, -1, 0],
    [Number.NaN, 10, 0],
    [1, Number.NaN, 0],
    [Infinity, 1, 0],
  ])("%d of %d is %d", (used, capacity, pressure) => {
    expect(toPressure(used, capacity)).toBe(pressure);
  });
});

describe("toPressureTier", () => {
  it.each([
    [0, "normal"],
    [0.5999, "normal"],
    [0.6, "warning"],
    [0.7999, "warning"],
    [0.8, "high"],
    [0.9499, "high"],
    [0.95, "critical"],
    [1.5, "critical"],
  ])("%d is %s", (pressure, tier) => {
    expect(toPressureTier(pressure)).toBe(tier);
  });
});
