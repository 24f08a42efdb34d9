import { describe, expect, it } from "vitest";
import { hasKeepLabel, parseKeepLabel } from "./keep-label.js";

describe("keep labels", () => {
  it("match by key and value, or by key alone", () => {
    expect(hasKeepLabel({ a: "b=c" }, parseKeepLabel("a=b=c"))).toBe(true);
    expect(hasKeepLabel({ a: "x" }, parseKeepLabel("a=b"))).toBe(false);
    expect(hasKeepLabel({ a: "x" }, parseKeepLabel("a"))).toBe(true);
    expect(hasKeepLabel({}, parseKeepLabel("toString"))).toBe(false);
  });
});
