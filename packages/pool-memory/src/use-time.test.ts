import { describe, expect, it } from "vitest";
import { UseTime } from "./use-time.js";

/** A clock that says what it is told, and counts how often it is asked. */
function stubClock(): { atMs: number; reads: number; nowMs(): number } {
  return {
    atMs: 1,
    reads: 0,
    nowMs() {
      this.reads += 1;
      return this.atMs;
    },
  };
}
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the time of uses", () => {
  it("is the clock's for each use where they come singly, however long it stands", async () => {
    const clock = stubClock();
    const time = new UseTime(clock);
    for (let use = 0; use < 100; use += 1) {
      clock.atMs += use % 3;
      expect(time.nowMs()).toBe(clock.atMs);
      await nextTurn();
    }
  });

  it("is one for many of a synchronous stretch, read again every 1,000 and in the next stretch", async () => {
    const clock = stubClock();
    const time = new UseTime(clock);
    for (let use = 0; use < 17; use += 1) time.nowMs();
    clock.atMs = 2;
    for (let use = 0; use < 1_000; use += 1) expect(time.nowMs()).toBe(1);
    expect(clock.reads).toBe(17);
    expect(time.nowMs()).toBe(2);
    for (let use = 0; use < 100; use += 1) time.nowMs();
    clock.atMs = 3;
    await nextTurn();
    expect(time.nowMs()).toBe(3);
  });

  it("is no longer shared where that brings nothing: a few uses in each stretch", async () => {
    const clock = stubClock();
    const time = new UseTime(clock);
    for (let use = 0; use < 500; use += 1) {
      time.nowMs();
      await Promise.resolve();
    }
    expect(clock.reads).toBeGreaterThan(495);
  });
});
