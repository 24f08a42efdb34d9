import { describe, expect, it } from "vitest";
import { toBuildMs } from "./build-time.js";

const MINUTE = 60_000;
const lines = (...minutes: readonly (number | null)[]) =>
  minutes.map((at) => ({ createdAtMs: at === null ? null : at * MINUTE }));

describe("toBuildMs", () => {
  it("adds up the steps of the last build, and leaves the base's out", () => {
    expect(toBuildMs(lines(0, 1, 5_000, 5_004, 5_010))).toBe(10 * MINUTE);
  });

  it("doesn't know where the times say nothing", () => {
    expect(toBuildMs([])).toBeNull();
    expect(toBuildMs(lines(7))).toBeNull();
    expect(toBuildMs(lines(7, 7, 7))).toBeNull();
    expect(toBuildMs(lines(1, null, 9))).toBeNull();
    expect(toBuildMs(lines(9, 1))).toBeNull();
  });
});
