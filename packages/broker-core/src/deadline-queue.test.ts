import { beforeEach, describe, expect, it } from "vitest";
import { DeadlineQueue, type Expiring } from "./deadline-queue.js";
import { ManualClock } from "./testing/index.js";

describe("DeadlineQueue", () => {
  let clock: ManualClock;
  let queue: DeadlineQueue;
  let fired: string[];
  const item = (name: string, then: () => void = () => undefined): Expiring => ({
    expire: () => {
      fired.push(name);
      then();
    },
  });

  beforeEach(() => {
    clock = new ManualClock();
    queue = new DeadlineQueue(clock, 100);
    fired = [];
  });

  it("calls each at its own time, with one timer for all", async () => {
    queue.add(item("a"));
    await clock.advance(60);
    queue.add(item("b"));
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(40);
    expect(fired).toEqual(["a"]);
    await clock.advance(59);
    expect(fired).toEqual(["a"]);
    await clock.advance(1);
    expect(fired).toEqual(["a", "b"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("forgets what is deleted, and leaves no timer when that was all", async () => {
    const [a, b] = [item("a"), item("b")];
    queue.add(a);
    queue.add(b);
    queue.delete(a);
    queue.delete(a);
    expect(clock.pendingTimers).toBe(1);
    queue.delete(b);
    expect(clock.pendingTimers).toBe(0);
    queue.add(item("c"));
    await clock.advance(100);
    expect(fired).toEqual(["c"]);
  });

  it("what is added or deleted while one expires has its time, too", async () => {
    const b = item("b");
    queue.add(
      item("a", () => {
        queue.delete(b);
        queue.add(item("again"));
      }),
    );
    queue.add(b);
    await clock.advance(100);
    expect(fired).toEqual(["a"]);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(100);
    expect(fired).toEqual(["a", "again"]);
    expect(clock.pendingTimers).toBe(0);
  });
});
