import fc from "fast-check";
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

  it("loses and repeats nothing, and nobody waits for more than one item of each other", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("add" as const), owner: fc.nat(4) }),
        fc.record({ kind: fc.constant("delete" as const), owner: fc.nat(4) }),
        fc.constant({ kind: "shift" as const, owner: 0 }),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new FairQueue<number>();
        const owners = Array.from({ length: 5 }, () => ({ waiting: [] as number[], servedBefore: 0 }));
        let last = 0;
        for (const { kind, owner: index } of all) {
          const owner = owners[index];
          if (owner === undefined) continue;
          if (kind === "add") {
            last += 1;
            if (owner.waiting.length === 0) owner.servedBefore = 0;
            owner.waiting.push(last);
            queue.add(owner, last);
          } else if (kind === "delete") {
            const item = owner.waiting.pop();
            if (item === undefined) expect(queue.delete(owner, 0)).toBe(false);
            else expect(queue.delete(owner, item)).toBe(true);
          } else {
            const item = queue.shift();
            const served = owners.find(({ waiting }) => waiting[0] === item && item !== undefined);
            expect(served === undefined).toBe(item === undefined);
            served?.waiting.shift();
            for (const other of owners) {
              if (other === served) other.servedBefore = 0;
              else if (other.waiting.length > 0 && item !== undefined) other.servedBefore += 1;
              expect(other.servedBefore).toBeLessThan(owners.length);
            }
          }
          expect(queue.size).toBe(owners.reduce((sum, { waiting }) => sum + waiting.length, 0));
          for (const each of owners) expect(queue.sizeOf(each)).toBe(each.waiting.length);
        }
      }),
    );
  });
});
