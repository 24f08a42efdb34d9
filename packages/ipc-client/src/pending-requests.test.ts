import { describe, expect, it } from "vitest";
import { type Pending, PendingRequests } from "./pending-requests.js";

/** A request with nothing but what tells it from others. */
class Fake<V> implements Pending {
  id: number | null = null;
  constructor(readonly value: V) {}
}

describe("PendingRequests", () => {
  it("gives ascending positive ids, and each request once", () => {
    const pending = new PendingRequests<Fake<string>>();
    const first = pending.add(new Fake("a"));
    expect([first, pending.add(new Fake("b"))]).toEqual([1, 2]);
    expect(pending.take(1)?.value).toBe("a");
    expect(pending.take(1)).toBeUndefined();
    expect(pending.size).toBe(1);
  });

  it("knows no ids that it didn't give", () => {
    const pending = new PendingRequests<Fake<string>>();
    pending.add(new Fake("a"));
    for (const id of [0, -1, 65, 129, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])
      expect(pending.take(id)).toBeUndefined();
  });

  it("keeps slow requests while thousands pass by, ids unique in flight", () => {
    const pending = new PendingRequests<Fake<number>>();
    const slow = new Map([0, 1, 2].map((value) => [pending.add(new Fake(value)), value]));
    for (let i = 0; i < 10_000; i += 1) {
      const id = pending.add(new Fake(-i));
      expect(slow.has(id)).toBe(false);
      expect(pending.take(id)?.value).toBe(-i);
    }
    for (const [id, value] of slow) expect(pending.take(id)?.value).toBe(value);
    expect(pending.size).toBe(0);
  });

  it("grows, and takes out in any order", () => {
    const pending = new PendingRequests<Fake<number>>();
    const ids = Array.from({ length: 5000 }, (_, value) => pending.add(new Fake(value)));
    expect(new Set(ids).size).toBe(5000);
    for (const [value, id] of [...ids.entries()].reverse()) expect(pending.take(id)?.value).toBe(value);
  });

  it("gives all in the order of sending", () => {
    const pending = new PendingRequests<Fake<number>>();
    for (let i = 0; i < 100; i += 1) pending.take(pending.add(new Fake(i)));
    for (let i = 0; i < 40; i += 1) pending.add(new Fake(i));
    const all = pending.takeAll();
    expect(all.map(({ value }) => value)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(all.every(({ id }) => id === null)).toBe(true);
    expect(pending.size).toBe(0);
  });
});
