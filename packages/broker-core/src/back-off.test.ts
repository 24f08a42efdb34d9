import { describe, expect, it } from "vitest";
import { afterReading, afterRound, type BackOff, NO_BACK_OFF, type RoundResult } from "./back-off.js";

const round = (more: Partial<RoundResult>): RoundResult => ({
  wantedBytes: 1000,
  freedBytes: 0,
  usedBytesAfter: 900,
  failed: false,
  endedAtMs: 0,
  ...more,
});
const waits = (rounds: number, more: Partial<RoundResult>): number[] => {
  const found: number[] = [];
  let state: BackOff = NO_BACK_OFF;
  for (let i = 0; i < rounds; i += 1) {
    state = afterRound(state, round(more));
    found.push(state.notBeforeMs);
  }
  return found;
};

describe("back-off", () => {
  it("waits after the second round with next to no yield: 1 min, doubling to 30 min", () => {
    expect(waits(9, {}).map((ms) => ms / 60_000)).toEqual([0, 1, 2, 4, 8, 16, 30, 30, 30]);
    expect(waits(2, { freedBytes: 9 })[1]).toBe(60_000);
  });

  it("tries a failure again soon: 5 s, doubling to 1 min", () => {
    expect(waits(6, { failed: true }).map((ms) => ms / 1000)).toEqual([5, 10, 20, 40, 60, 60]);
  });

  it("any real yield ends the waiting", () => {
    const stuck = afterRound(afterRound(NO_BACK_OFF, round({})), round({}));
    expect(afterRound(stuck, round({ freedBytes: 10 }))).toMatchObject({
      notBeforeMs: 0,
      ineffectiveRounds: 0,
    });
    expect(afterRound(stuck, round({ freedBytes: 500, failed: true }))).toMatchObject({
      notBeforeMs: 0,
      failedRounds: 0,
    });
  });

  it("ends when the pool is calm or has grown noticeably, and not before", () => {
    const stuck = afterRound(afterRound(NO_BACK_OFF, round({})), round({}));
    expect(afterReading(stuck, { usedBytes: 910, capacityBytes: 1000, calm: false })).toBe(stuck);
    expect(afterReading(stuck, { usedBytes: 911, capacityBytes: 1000, calm: false })).toBe(NO_BACK_OFF);
    expect(afterReading(stuck, { usedBytes: 100, capacityBytes: 1000, calm: true })).toBe(NO_BACK_OFF);
  });

  it("growth doesn't hurry a pool that fails", () => {
    const failing = afterRound(NO_BACK_OFF, round({ failed: true }));
    expect(afterReading(failing, { usedBytes: 990, capacityBytes: 1000, calm: false })).toBe(failing);
  });
});
