import { describe, expect, it } from "vitest";
import { PendingRequests } from "./pending-requests.js";

describe("PendingRequests", () => {
  it("gives ascending positive ids, and each request once", () => {
    const pending = new PendingRequests<string>();
    const first = pending.add("a");
    expect([first, pending.add("b")]).toEqual([1, 2]);
    expect(pending.take(1)).toBe("a");
    expect(pending.take(1)).toBeUndefined();
    expect(pending.size).toBe(1);
  });

  it("knows no ids that it didn't give", () => {
    const pending = new PendingRequests<string>();
    pending.add("a");
    for (const id of [0, -1, 65, 129, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])
      expect(pending.take(id)).toBeUndefined();
  });

  it("keeps slow requests while thousands pass by, ids unique in flight", () => {
    const pending = new PendingRequests<number>();
    const slow = new Map([0, 1, 2].map((value) => [pending.add(value), value]));
    for (let i = 0; i < 10_000; i += 1) {
      const id = pending.add(-i);
      expect(slow.has(id)).toBe(false);
      expect(pending.take(id)).toBe(-i);
    }
    for (const [id, value] of slow) expect(pending.take(id)).toBe(value);
    expect(pending.size).toBe(0);
  });

  it("grows, and takes out in any order", () => {
    const pending = new PendingRequests<number>();
    const ids = Array.from({ length: 5000 }, (_, value) => pending.add(value));
    expect(new Set(ids).size).toBe(5000);
    for (const [value, id] of [...ids.entries()].reverse()) expect(pending.take(id)).toBe(value);
  });

  it("gives all in the order of sending", () => {
    const pending = new PendingRequests<number>();
    for (let i = 0; i < 100; i += 1) pending.take(pending.add(i));
    for (let i = 0; i < 40; i += 1) pending.add(i);
    expect(pending.takeAll()).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(pending.size).toBe(0);
  });
});
