import fc from "fast-check";
import { expect, it } from "vitest";
import { createPagedEntry, type PagedEntry } from "./paged-entry.js";
import { SizeWeightedOrder } from "./size-weighted-order.js";

const step = fc.record({
  do: fc.constantFrom("add", "add", "touch", "remove", "evict"),
  at: fc.nat(60),
  sizeBytes: fc.integer({ min: 0, max: 50 }),
});

it("gives the least of uses per byte above what was evicted last, whatever came and went", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const order = new SizeWeightedOrder<number, null>();
      let entries: PagedEntry<number, null>[] = [];
      const worth = new Map<PagedEntry<number, null>, { readonly worth: number; readonly turn: number }>();
      let inflation = 0;
      let key = 0;
      let turn = 0;
      const weigh = (entry: PagedEntry<number, null>): void => {
        const uses = entry.accessCount + 1;
        worth.set(entry, { worth: inflation + uses / Math.max(1, entry.sizeBytes), turn: (turn += 1) });
      };
      const sorted = (): readonly PagedEntry<number, null>[] =>
        entries.toSorted((a, b) => {
          const [x, y] = [worth.get(a) ?? expect.fail(), worth.get(b) ?? expect.fail()];
          return x.worth - y.worth || x.turn - y.turn;
        });
      for (const { do: what, at, sizeBytes } of steps) {
        const entry = entries[at % Math.max(1, entries.length)];
        const least = sorted()[0];
        expect(order.least()).toBe(least ?? null);
        if (what === "add") {
          const added = createPagedEntry({ key: (key += 1), value: null, sizeBytes, nowMs: 0 });
          entries.push(added);
          weigh(added);
          order.add(added);
        } else if (what === "touch" && entry !== undefined) {
          entry.accessCount += 1;
          weigh(entry);
          order.touch(entry);
        } else if (what === "remove" && entry !== undefined) {
          entries = entries.filter((other) => other !== entry);
          order.remove(entry);
        } else if (what === "evict" && least !== undefined) {
          inflation = Math.max(inflation, worth.get(least)?.worth ?? 0);
          order.evicting(least);
          order.remove(least);
          entries = entries.filter((other) => other !== least);
        }
      }
      for (const least of sorted()) {
        expect(order.least()).toBe(least);
        order.remove(least);
      }
      expect(order.least()).toBeNull();
    }),
    { numRuns: 300 },
  );
});
