import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolicyError } from "./index.js";
import { DEFAULT_POOL_POLICY, toPoolPolicy, wantedBytes } from "./index.js";

describe("wantedBytes", () => {
  it.each([
    ["down to the target", 970, 1000, 370],
    ["at least the floor", 610, 1000, 100],
    ["usage above capacity", 1500, 1000, 900],
    ["rounded up, never a byte short", 967, 999, 368],
    ["no capacity", 10, 0, 0],
    ["never more than is used", 50, 1000, 50],
    ["nothing used", 0, 1000, 0],
  ])("%s", (_what, used, capacity, wanted) => {
    expect(wantedBytes(used, capacity, DEFAULT_POOL_POLICY)).toBe(wanted);
  });

  it("is whole bytes that reach the target, for all readings", () => {
    const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(bytes, bytes, (used, capacity) => {
        const wanted = wantedBytes(used, capacity, DEFAULT_POOL_POLICY);
        expect(Number.isSafeInteger(wanted)).toBe(true);
        expect(wanted).toBeGreaterThanOrEqual(0);
        expect(wanted).toBeLessThanOrEqual(used);
        if (capacity > 0) expect(used - wanted).toBeLessThanOrEqual(0.6 * capacity + 1);
      }),
    );
  });
});

describe("toPoolPolicy", () => {
  it.each([
    [{ actAbove: 0 }, "actAbove"],
    [{ actAbove: 1.1 }, "actAbove"],
    [{ actAbove: Number.NaN }, "actAbove"],
    [{ target: 0.8 }, "target"],
    [{ target: -0.1 }, "target"],
    [{ target: -1 }, "target"],
    [{ target: 0 }, "target"],
    [{ stopBelow: -1 }, "stopBelow"],
    [{ stopBelow: 0.5 }, "stopBelow"],
    [{ target: 0.9, actAbove: 0.9 }, "target"],
    [{ floor: 2 }, "floor"],
  ])("refuses %j", (given, field) => {
    expect(() => toPoolPolicy(given)).toThrow(
      expect.objectContaining({ name: "PolicyError", field }) as PolicyError,
    );
  });
  it("completes with the defaults", () => {
    expect(toPoolPolicy({ target: 0.7 })).toEqual({
      actAbove: 0.8,
      stopBelow: 0.75,
      target: 0.7,
      floor: 0.1,
      cooldownMs: 15_000,
    });
  });
});
