import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.js";

describe("parseDuration", () => {
  it.each([
    ["0s", 0],
    ["90m", 5_400_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s", 93_784_000],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "",
    "0",
    "24",
    "-1h",
    "1.5h",
    "1h 30m",
    "30m1h",
    "1h1h",
    "h",
    "1w",
    "1H",
    "yesterday",
    "9".repeat(20) + "d",
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

describe("formatDuration", () => {
  it.each(["0s", "45s", "1h30m", "1d", "7d", "1d2h3m4s"])("writes %s as it is read", (text) => {
    expect(formatDuration(parseDuration(text) ?? NaN)).toBe(text);
  });
});
