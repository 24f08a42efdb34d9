import { describe, expect, it } from "vitest";
import { toPoolPolicy } from "./index.js";
import { afterReliefReading, afterReliefRound, NO_RELIEF, type RoundEnd } from "./relief-progress.js";

const policy = toPoolPolicy();
const end = (more: Partial<RoundEnd>): RoundEnd => ({
  freedBytes: 100,
  isFruitless: false,
  pressureAfter: 0.9,
  endedAtMs: 1_000,
  ...more,
});

describe("relief progress", () => {
  it("goes on while a round is of use and the pool is above its stop, and sums what was freed", () => {
    const once = afterReliefRound(NO_RELIEF, end({}), policy);
    expect(once).toEqual({ isRelieving: true, rounds: 1, freedBytes: 100, coolUntilMs: 0 });
    expect(afterReliefRound(once, end({ freedBytes: 50 }), policy)).toMatchObject({
      isRelieving: true,
      rounds: 2,
      freedBytes: 150,
    });
  });

  it("is over when calm, with a cooldown only where something was freed", () => {
    expect(afterReliefRound(NO_RELIEF, end({ pressureAfter: 0.7 }), policy)).toMatchObject({
      isRelieving: false,
      coolUntilMs: 16_000,
    });
    expect(afterReliefRound(NO_RELIEF, end({ pressureAfter: 0.7, freedBytes: 0 }), policy)).toMatchObject({
      isRelieving: false,
      coolUntilMs: 0,
    });
  });

  it.each([
    ["a fruitless round", { isFruitless: true }],
    ["an unmeasured one", { pressureAfter: null }],
  ])("is over after %s, without a cooldown", (_what, more) => {
    expect(afterReliefRound(NO_RELIEF, end(more), policy)).toMatchObject({
      isRelieving: false,
      coolUntilMs: 0,
    });
  });

  it("is looked at anew after sixteen rounds", () => {
    let relief = NO_RELIEF;
    for (let i = 0; i < 15; i += 1) relief = afterReliefRound(relief, end({}), policy);
    expect(relief).toMatchObject({ isRelieving: true, rounds: 15 });
    expect(afterReliefRound(relief, end({}), policy)).toMatchObject({ isRelieving: false, rounds: 16 });
  });

  it("is over once a reading shows the pool calm, whoever brought it there", () => {
    const relief = { ...NO_RELIEF, isRelieving: true };
    expect(afterReliefReading(relief, 0.71, policy)).toBe(relief);
    expect(afterReliefReading(relief, 0.7, policy)).toMatchObject({ isRelieving: false });
  });
});
