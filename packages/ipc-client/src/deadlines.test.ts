import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Deadlines, Expiring } from "./deadlines.js";

class Item extends Expiring {
  expiredAtMs: number | null = null;

  constructor(private readonly onExpired = (): void => undefined) {
    super();
  }

  expire(): void {
    this.expiredAtMs = Date.now();
    this.onExpired();
  }
}

class Unawaited extends Item {
  override get keepsAlive(): boolean {
    return false;
  }
}

describe("Deadlines", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it("expires each once, never early, at most 25 ms late", () => {
    const deadlines = new Deadlines(() => Date.now());
    const delays = [1, 19, 20, 21, 99, 1000, 30_000, 45, 5];
    const items = delays.map(() => new Item());
    delays.forEach((delay, index) => deadlines.add(items[index] as Item, delay));
    vi.advanceTimersByTime(40_000);
    delays.forEach((delay, index) => {
      const lateMs = (items[index]?.expiredAtMs ?? 0) - 1_000_000 - delay;
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThanOrEqual(25);
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("runs one timer for all, and none anew for each that comes and goes", () => {
    const deadlines = new Deadlines(() => Date.now());
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    for (let i = 0; i < 1000; i += 1) {
      const each = new Item();
      deadlines.add(each, 30_000 + i);
      deadlines.delete(each);
      expect([each.bucket, each.previousInBucket, each.nextInBucket]).toEqual([null, null, null]);
    }
    expect(setTimer).toHaveBeenCalledTimes(1);
    setTimer.mockRestore();
    deadlines.clear();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps the process alive while one of those that do so waits, and not for others", () => {
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    const deadlines = new Deadlines(() => Date.now());
    const isAlive = (): boolean => (setTimer.mock.results.at(-1)?.value as NodeJS.Timeout).hasRef();
    const [other, first, second] = [new Unawaited(), new Item(), new Item()];
    deadlines.add(other, 50);
    expect(isAlive()).toBe(false);
    deadlines.add(first, 500);
    deadlines.add(second, 5_000);
    expect([setTimer.mock.calls.length, isAlive()]).toEqual([1, true]);
    // The timer that follows is for those that are left.
    vi.advanceTimersByTime(100);
    expect([setTimer.mock.calls.length, isAlive()]).toEqual([2, true]);
    deadlines.delete(second);
    expect(isAlive()).toBe(true);
    deadlines.delete(first);
    expect(isAlive()).toBe(false);
    deadlines.add(second, 5_000);
    expect(isAlive()).toBe(true);
    deadlines.clear();
    setTimer.mockRestore();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("doesn't expire what another's expiry withdrew", () => {
    const deadlines = new Deadlines(() => Date.now());
    const second = new Item();
    const third = new Item(() => deadlines.delete(second));
    const first = new Item(() => deadlines.delete(second));
    for (const each of [first, second, third]) deadlines.add(each, 10);
    vi.advanceTimersByTime(100);
    expect([first, second, third].map(({ expiredAtMs }) => expiredAtMs !== null)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("waits for what is further away than a timer reaches", () => {
    const deadlines = new Deadlines(() => Date.now());
    const far = new Item();
    deadlines.add(far, 2 ** 31 + 1000);
    vi.advanceTimersByTime(2 ** 31 - 1);
    expect(far.expiredAtMs).toBeNull();
    vi.advanceTimersByTime(2000);
    expect(far.expiredAtMs).not.toBeNull();
  });
});
