import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { RecentValue } from "./recent-value.js";

function setUp(delayMs = 0) {
  const clock = new ManualClock();
  const state = { reads: 0, failWith: null as Error | null };
  const read = async (): Promise<number> => {
    state.reads += 1;
    const value = state.reads;
    if (delayMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, delayMs));
    if (state.failWith !== null) throw state.failWith;
    return value;
  };
  return { recent: new RecentValue({ read, clock, maxAgeMs: 50 }), clock, state };
}

describe("RecentValue", () => {
  it("reads once for all who ask at the same time, and gives it at once for a moment", async () => {
    const { recent, clock, state } = setUp();
    expect(await Promise.all([recent.get(), recent.get(), recent.get()])).toEqual([1, 1, 1]);
    await clock.advance(49);
    expect(recent.get()).toBe(1);
    await clock.advance(1);
    expect(await recent.get()).toBe(2);
    expect(state.reads).toBe(2);
  });

  it("counts the age from when the reading began", async () => {
    const { recent, clock } = setUp(40);
    const first = recent.get();
    await clock.advance(40);
    expect(await first).toBe(1);
    await clock.advance(9);
    expect(recent.get()).toBe(1);
    await clock.advance(1);
    expect(recent.get()).toBeInstanceOf(Promise);
  });

  it("tells all who wait of a failure, and reads again for the next", async () => {
    const { recent, state } = setUp();
    state.failWith = new Error("no");
    const results = await Promise.allSettled([recent.get(), recent.get()]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    state.failWith = null;
    expect(await recent.get()).toBe(2);
  });
});
