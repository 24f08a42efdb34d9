import { describe, expect, it } from "vitest";
import { matchPattern } from "./match-pattern.js";

describe("matchPattern", () => {
  it.each([
    [{ a: 1 }, { a: 1, b: 2 }],
    [
      [1, { $any: true }],
      [1, "x"],
    ],
    [{ a: { $absent: true } }, {}],
    [{ $contains: "ell" }, "hello"],
    [{ $oneOf: [1, { $kind: "string" }] }, "x"],
    [{ $kind: "null" }, null],
    [{ $type: "PressureTier" }, "high"],
  ])("%j fits %j", (pattern, value) => {
    expect(matchPattern(pattern, value)).toBeNull();
  });

  it.each([
    [{ a: 1 }, { a: 2 }, "a: expected 1, got 2"],
    [{ a: { b: null } }, { a: {} }, "a.b: expected null, got nothing"],
    [[1], [1, 2], "expected 1 elements"],
    [{ a: { $absent: true } }, { a: null }, "a: expected nothing, got null"],
    [{ toString: { $any: true } }, {}, "toString: expected anything, got nothing"],
    [{ $type: "PressureTier" }, "boiling", "is no PressureTier"],
    [{ $oneOf: [1, 2] }, 3, "expected 2, got 3"],
    [1, "1", 'expected 1, got "1"'],
  ])("%j doesn't fit %j", (pattern, value, problem) => {
    expect(matchPattern(pattern, value)).toContain(problem);
  });

  it("a vector's own mistake isn't the peer's", () => {
    expect(() => matchPattern({ $typ: "PressureTier" }, "high")).toThrow("$typ");
    expect(() => matchPattern({ $type: "Presure" }, "high")).toThrow("Presure");
  });
});
