import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesPattern, matchingPattern, repositoryOf } from "./reference-pattern.js";

/** The same by definition, in exponential time. */
function matchesSlowly(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  const rest = pattern.slice(1);
  if (pattern[0] === "*")
    return matchesSlowly(rest, text) || (text !== "" && matchesSlowly(pattern, text.slice(1)));
  return text !== "" && (pattern[0] === "?" || pattern[0] === text[0]) && matchesSlowly(rest, text.slice(1));
}

describe("patterns of references", () => {
  it("match as they are defined, whatever the pattern and the text", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        expect(matchesPattern(p, t)).toBe(matchesSlowly(p, t));
      }),
      { numRuns: 5_000 },
    );
  });

  it("that would take a backtracking matcher for ever are answered", () => {
    expect(matchesPattern(`${"*a".repeat(200)}b`, "a".repeat(5_000))).toBe(false);
  });

  it.each([
    ["registry.local:5000/team/*", "registry.local:5000/team/app:1", true],
    ["registry.local:5000/team/app", "registry.local:5000/team/app:1", true],
    ["registry.local:5000/team/app", "registry.local:5000/team/app@sha256:00", true],
    ["app", "team/app:1", false],
    ["app:?", "app:10", false],
    ["App", "app:1", false],
  ])("%s for %s: %s", (pattern, reference, isMatch) => {
    expect(matchingPattern([pattern], [reference]) !== null).toBe(isMatch);
  });

  it.each([
    ["app", "app"],
    ["app:1", "app"],
    ["host:5000/app", "host:5000/app"],
    ["host:5000/app:1@sha256:00", "host:5000/app"],
  ])("the repository of %s is %s", (reference, repository) => {
    expect(repositoryOf(reference)).toBe(repository);
  });
});
