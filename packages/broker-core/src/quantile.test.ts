import fc from "fast-check";
import { expect, it } from "vitest";
import { quantile } from "./quantile.js";

it("is the value that sorting would give, of whatever values, and 0 of none", () => {
  expect(quantile([], 0.5)).toBe(0);
  const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 3 })));
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (each, share) => {
      const sorted = Float64Array.from(each).sort();
      const expected = sorted[Math.min(each.length - 1, Math.floor(share * each.length))] ?? 0;
      expect(quantile(each, share) - expected === 0 || Object.is(quantile(each, share), expected)).toBe(true);
    }),
  );
});
