import { describe, expect, it } from "vitest";
import { editDistance, nearestName } from "./nearest-name.js";

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["abc", "", 3],
    ["tier", "teir", 1],
    ["kitten", "sitting", 3],
    ["abcd", "badc", 2],
    ["ca", "abc", 3],
  ])("%s -> %s is %d, both ways", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe("nearestName", () => {
  const names = ["system/docker-tier-stats", "system/docker-tier-probe", "health-check"];

  it("finds what was meant", () => {
    expect(nearestName("system/docker-teir-stats", names)).toBe("system/docker-tier-stats");
    expect(nearestName("healthcheck", names)).toBe("health-check");
  });

  it("finds nothing where nothing is near", () => {
    expect(nearestName("", names)).toBeNull();
    expect(nearestName("__proto__", names)).toBeNull();
    expect(nearestName("x".repeat(1_000_000), names)).toBeNull();
  });
});
