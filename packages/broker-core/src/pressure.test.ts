import { describe, expect, it } from "vitest";
import { toBindingPressure, toPressure, toPressureTier } from "./index.js";

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

describe("toBindingPressure", () => {
  it("is the higher one, and bytes where both are equal or there are no inodes", () => {
    const inodes = { usedInodes: 9, capacityInodes: 10 };
    expect(toBindingPressure({ pressure: 0.5, inodes })).toEqual({ binds: "inodes", pressure: 0.9 });
    expect(toBindingPressure({ pressure: 0.9, inodes })).toEqual({ binds: "bytes", pressure: 0.9 });
    expect(toBindingPressure({ pressure: 0.5, inodes: null })).toEqual({ binds: "bytes", pressure: 0.5 });
    const none = { usedInodes: 0, capacityInodes: 0 };
    expect(toBindingPressure({ pressure: 0.5, inodes: none })).toEqual({ binds: "bytes", pressure: 0.5 });
  });
});
