import { describe, expect, it } from "vitest";
import { FairQueue } from "./fair-queue.js";

const [a, b, c] = [{}, {}, {}];

describe("FairQueue", () => {
  it("gives each owner its turn, and each owner's items in their order", () => {
    const queue = new FairQueue<string>();
    for (const item of ["a1", "a2", "a3"]) queue.add(a, item);
    queue.add(b, "b1");
    queue.add(c, "c1");
    queue.add(c, "c2");
    expect([queue.size, queue.sizeOf(a), queue.sizeOf({})]).toEqual([6, 3, 0]);
    expect(Array.from({ length: 7 }, () => queue.shift())).toEqual([
      "a1",
      "b1",
      "c1",
      "a2",
      "c2",
      "a3",
      undefined,
    ]);
    expect(queue.size).toBe(0);
  });

  it("lets go of items, and of owners with none left", () => {
    const queue = new FairQueue<string>();
    queue.add(a, "a1");
    queue.add(b, "b1");
    queue.add(b, "b2");
    expect([queue.delete(a, "a1"), queue.delete(a, "a1"), queue.delete(b, "a1")]).toEqual([
      true,
      false,
      false,
    ]);
    expect([queue.size, queue.sizeOf(a)]).toEqual([2, 0]);
    queue.add(a, "a2");
    expect(Array.from({ length: 3 }, () => queue.shift())).toEqual(["b1", "a2", "b2"]);
  });
});
