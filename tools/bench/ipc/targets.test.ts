import { describe, expect, it } from "vitest";
import { isReached, toTargetRows, toTargets } from "./targets.js";

describe("targets", () => {
  it("are ratios of the same run, against the faster mode of ioredis", () => {
    const rates: Record<string, number> = {
      continuum: 300,
      floor: 250,
      existing: 100,
      ioredis: 80,
      "ioredis, autopipelining": 120,
    };
    const targets = toTargets({
      operations: (subject) => rates[subject] ?? Number.NaN,
      p99Us: (subject) => (subject === "floor" ? 100 : 150),
      attachment: (_subject, mib) => (mib === 64 ? 1000 : 900),
      peakMib: (_subject, mib) => mib + 10,
    });
    const of = (what: string): number =>
      targets.find((target) => target.what === what)?.achieved ?? Number.NaN;
    expect(of("64 in flight, against the floor")).toBe(1.2);
    expect(of("64 in flight, against ioredis (its faster mode)")).toBe(2.5);
    expect(of("1 in flight, p99 against the floor's")).toBe(1.5);
    expect(of("1023 MiB, memory beyond it")).toBe(10);
    expect(of("1023 MiB, bytes per second against 64 MiB")).toBe(0.9);
    expect(of("low latency, 1 in flight, against the floor")).toBeNaN();
  });

  it("say what is reached, what isn't, and what nobody measured", () => {
    const target = { what: "w", wanted: 2, achieved: 2 };
    expect(isReached(target)).toBe(true);
    expect(isReached({ ...target, achieved: 1.99 })).toBe(false);
    expect(isReached({ ...target, achieved: 2.01, atMost: true })).toBe(false);
    expect(isReached({ ...target, achieved: Number.NaN })).toBeNull();
    expect(
      toTargetRows([
        { ...target, achieved: 1 },
        { ...target, achieved: Number.NaN, atMost: true, unit: "MiB" },
      ]),
    ).toEqual([
      ["", "target", "achieved", ""],
      ["w", ">= 2 x", "1.00 x", "NOT reached"],
      ["w", "<= 2 MiB", "-", "not measured"],
    ]);
  });
});
