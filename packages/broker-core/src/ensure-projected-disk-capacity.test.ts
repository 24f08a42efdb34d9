import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ensureProjectedDiskCapacity, type ProjectedUse, ResourceAdmissionError } from "./index.js";

const refusal = (use: Omit<ProjectedUse, "tier">): unknown => {
  try {
    ensureProjectedDiskCapacity({ tier: "docker", ...use });
    return null;
  } catch (error) {
    if (error instanceof ResourceAdmissionError) return error.detail;
    throw error;
  }
};

describe("ensureProjectedDiskCapacity", () => {
  it("exactly 95 % passes, one byte more is refused", () => {
    expect(refusal({ usedBytes: 900, capacityBytes: 1000, projectedBytes: 50 })).toBeNull();
    expect(refusal({ usedBytes: 900, capacityBytes: 1000, projectedBytes: 51 })).toEqual({
      kind: "diskCapacity",
      tier: "docker",
      usedBytes: 900,
      capacityBytes: 1000,
      projectedBytes: 51,
      maxPressureBasisPoints: 9500,
    });
  });

  it("counts what is reserved as used, and says so", () => {
    const use = { usedBytes: 700, capacityBytes: 1000, reservedBytes: 200 };
    expect(refusal({ ...use, projectedBytes: 50 })).toBeNull();
    expect(refusal({ ...use, projectedBytes: 51 })).toMatchObject({ kind: "diskCapacity", usedBytes: 700 });
    expect(() => ensureProjectedDiskCapacity({ tier: "docker", ...use, projectedBytes: 51 })).toThrow(
      "200 B more are reserved",
    );
    expect(() =>
      ensureProjectedDiskCapacity({ tier: "docker", ...use, projectedBytes: 1, reservedBytes: -1 }),
    ).toThrow(RangeError);
  });

  it("is exact where floating point isn't", () => {
    const capacityBytes = 9_007_199_254_740_980; // a multiple of 20, near 2^53
    const limit = Number((BigInt(capacityBytes) * 95n) / 100n);
    expect(refusal({ usedBytes: limit - 1, capacityBytes, projectedBytes: 1 })).toBeNull();
    expect(refusal({ usedBytes: limit, capacityBytes, projectedBytes: 1 })).toMatchObject({
      kind: "diskCapacity",
    });
    expect(
      refusal({ usedBytes: Number.MAX_SAFE_INTEGER, capacityBytes, projectedBytes: Number.MAX_SAFE_INTEGER }),
    ).toMatchObject({
      kind: "diskCapacity",
    });
  });

  it("agrees with exact arithmetic for all readings", () => {
    const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(
        bytes,
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        bytes,
        fc.nat({ max: 10_000 }),
        (usedBytes, capacityBytes, projectedBytes, maxPressureBasisPoints) => {
          const fits =
            (BigInt(usedBytes) + BigInt(projectedBytes)) * 10_000n <=
            BigInt(capacityBytes) * BigInt(maxPressureBasisPoints);
          expect(refusal({ usedBytes, capacityBytes, projectedBytes, maxPressureBasisPoints }) === null).toBe(
            fits,
          );
        },
      ),
    );
  });

  it.each([
    { usedBytes: 0, capacityBytes: 0, projectedBytes: 1 },
    { usedBytes: 0, capacityBytes: 0, projectedBytes: 0 },
    { usedBytes: 0, capacityBytes: Number.NaN, projectedBytes: 1 },
    { usedBytes: -1, capacityBytes: 1000, projectedBytes: 1 },
    { usedBytes: 1, capacityBytes: 2 ** 53, projectedBytes: 1 },
    { usedBytes: 1, capacityBytes: 1000, projectedBytes: 1, detected: false },
  ])("refuses as unavailable what isn't known: %j", (use) => {
    expect(refusal(use)).toMatchObject({ kind: "tierUnavailable", tier: "docker" });
  });

  it.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])(
    "a projection of %d bytes is the caller's bug",
    (projectedBytes) => {
      expect(() => refusal({ usedBytes: 1, capacityBytes: 1000, projectedBytes })).toThrow(RangeError);
    },
  );

  it("says in words what is wrong and what to do", () => {
    expect(() => {
      ensureProjectedDiskCapacity({
        tier: "docker",
        usedBytes: 9e9,
        capacityBytes: 1e10,
        projectedBytes: 1e9,
      });
    }).toThrow(
      "1.0 GB more don't fit on the tier docker: 9.0 GB of 10.0 GB are used, and at most 95 % may be; free space first",
    );
  });
});
