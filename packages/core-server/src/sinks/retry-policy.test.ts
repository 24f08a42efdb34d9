import { describe, expect, it } from "vitest";
import { MAX_AGE_MS, nextAttemptMs } from "./retry-policy.js";

const failed = { attempt: 1, ageMs: 0, code: "unavailable", retryAfterMs: null, random: 0 } as const;

describe("the next attempt of a delivery", () => {
  it("comes after a second, doubling to five minutes, and earlier by up to a half at random", () => {
    const waits = Array.from({ length: 12 }, (_, i) => nextAttemptMs({ ...failed, attempt: i + 1 }));
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(Math.max(...waits.map(Number))).toBe(300_000);
    expect(nextAttemptMs({ ...failed, attempt: 3, random: 0.999 })).toBeGreaterThanOrEqual(2_000);
    expect(nextAttemptMs({ ...failed, attempt: 1_000 })).toBe(300_000);
  });

  it("waits for as long as the receiver asks, within a bound", () => {
    expect(nextAttemptMs({ ...failed, retryAfterMs: 30_000 })).toBe(30_000);
    expect(nextAttemptMs({ ...failed, retryAfterMs: 10 })).toBe(1_000);
    expect(nextAttemptMs({ ...failed, retryAfterMs: 1e12 })).toBe(600_000);
  });

  it("doesn't come for what is refused, or older than an hour", () => {
    expect(nextAttemptMs({ ...failed, code: "refused" })).toBeNull();
    expect(nextAttemptMs({ ...failed, code: "aborted" })).toBeNull();
    expect(nextAttemptMs({ ...failed, code: "timeout" })).toBe(1_000);
    expect(nextAttemptMs({ ...failed, ageMs: MAX_AGE_MS - 1_000 })).toBe(1_000);
    expect(nextAttemptMs({ ...failed, ageMs: MAX_AGE_MS - 999 })).toBeNull();
  });

  it("ends: a message that always fails is tried a few times in its hour", () => {
    let [ageMs, attempt] = [0, 0];
    for (;;) {
      const waitMs = nextAttemptMs({ ...failed, attempt: (attempt += 1), ageMs, random: 0.5 });
      if (waitMs === null) break;
      ageMs += waitMs;
    }
    expect(attempt).toBeGreaterThan(10);
    expect(attempt).toBeLessThan(40);
  });
});
