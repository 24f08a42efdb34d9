import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_BACK_OFF } from "./back-off.js";
import { decideRelief, type ReliefCandidate, toPoolPolicy, toPressure } from "./index.js";
import { NO_RELIEF } from "./relief-progress.js";
import { toReading } from "./testing/index.js";

const candidate = (
  name: string,
  usedBytes: number,
  more: Partial<ReliefCandidate> = {},
): ReliefCandidate => ({
  name,
  reading: toReading({ usedBytes, capacityBytes: 1000 }),
  policy: toPoolPolicy(),
  backOff: NO_BACK_OFF,
  relief: NO_RELIEF,
  isEvicting: false,
  ...more,
});
const evicted = (candidates: readonly ReliefCandidate[], atMs = 0): readonly string[] =>
  decideRelief(candidates, atMs).flatMap((d) => (d.action === "evict" ? [d.name] : []));
const reasons = (candidates: readonly ReliefCandidate[], atMs = 0): Record<string, string> =>
  Object.fromEntries(
    decideRelief(candidates, atMs).map((d) => [d.name, d.action === "evict" ? "evict" : d.reason]),
  );

describe("decideRelief", () => {
  it("does nothing below the threshold, and acts at it", () => {
    expect(reasons([candidate("a", 799)])).toEqual({ a: "belowThreshold" });
    expect(evicted([candidate("a", 800)])).toEqual(["a"]);
  });

  it("high relieves only the worst", () => {
    expect(reasons([candidate("a", 850), candidate("b", 900), candidate("c", 820)])).toEqual({
      a: "notTheWorst",
      b: "evict",
      c: "notTheWorst",
    });
  });

  it("critical relieves every pool at or over the threshold", () => {
    expect(evicted([candidate("a", 800), candidate("b", 950), candidate("c", 799)])).toEqual(["a", "b"]);
  });

  it("usage above capacity is critical, and asks for what is over the target", () => {
    const [decision] = decideRelief([candidate("a", 1500)], 0);
    expect(decision).toMatchObject({ action: "evict", wantBytes: 900 });
  });

  it("a filesystem that runs out of inodes is relieved of those, however many bytes it has", () => {
    const inodes = { usedInodes: 97, capacityInodes: 100 };
    const full = candidate("a", 100, { reading: toReading({ usedBytes: 100, capacityBytes: 1000, inodes }) });
    const [decision] = decideRelief([full, candidate("b", 850)], 0);
    expect(decision).toMatchObject({ action: "evict", wantBytes: 0, wantInodes: 37 });
    // Critical by inodes: every pool over the threshold is due.
    expect(evicted([full, candidate("b", 850)])).toEqual(["a", "b"]);
    const both = candidate("a", 900, { reading: toReading({ usedBytes: 900, capacityBytes: 1000, inodes }) });
    expect(decideRelief([both], 0)).toMatchObject([{ wantBytes: 300, wantInodes: 37 }]);
    const few = { usedInodes: 79, capacityInodes: 100 };
    const calm = candidate("a", 100, {
      reading: toReading({ usedBytes: 100, capacityBytes: 1000, inodes: few }),
    });
    expect(reasons([calm])).toEqual({ a: "belowThreshold" });
  });

  it("equal pressures go by name", () => {
    expect(evicted([candidate("b", 900), candidate("a", 900)])).toEqual(["a"]);
  });

  it("each pool by its own policy", () => {
    const strict = toPoolPolicy({ actAbove: 0.5, target: 0.3, floor: 0 });
    expect(decideRelief([candidate("a", 600, { policy: strict })], 0)).toMatchObject([
      { action: "evict", wantBytes: 300 },
    ]);
    const lax = toPoolPolicy({ actAbove: 0.99, target: 0.9, floor: 0 });
    expect(reasons([candidate("a", 970, { policy: lax }), candidate("b", 850)])).toEqual({
      a: "belowThreshold",
      b: "evict",
    });
  });

  it("never acts on what isn't known to be so now", () => {
    const reading = toReading({ usedBytes: 990, capacityBytes: 1000 });
    expect(
      reasons([
        candidate("unread", 0, { reading: null }),
        candidate("stale", 0, { reading: { ...reading, stale: true } }),
        candidate("gone", 0, {
          reading: { ...reading, detected: false, capacityBytes: 0, usedBytes: 0, pressure: 0 },
        }),
        candidate("zero", 0, { reading: toReading({ usedBytes: 5, capacityBytes: 0 }) }),
      ]),
    ).toEqual({ unread: "unread", stale: "stale", gone: "undetected", zero: "undetected" });
  });

  it("a worst pool that is being relieved stays the worst, one that is stuck doesn't hide the next worst", () => {
    const others = [candidate("b", 850), candidate("c", 820)];
    expect(reasons([candidate("a", 900, { isEvicting: true }), ...others])).toEqual({
      a: "evicting",
      b: "notTheWorst",
      c: "notTheWorst",
    });
    const waiting = { ...NO_BACK_OFF, notBeforeMs: 100 };
    const backingOff = [candidate("a", 900, { backOff: waiting }), ...others];
    expect(reasons(backingOff, 99)).toEqual({ a: "backingOff", b: "evict", c: "notTheWorst" });
    expect(reasons(backingOff, 100)).toEqual({ a: "evict", b: "notTheWorst", c: "notTheWorst" });
  });

  it("an eviction that has outlived its deadline keeps nobody else from relief", () => {
    const overdue = candidate("a", 900, { isEvicting: true, isOverdue: true });
    expect(reasons([overdue, candidate("b", 850)])).toEqual({ a: "evicting", b: "evict" });
  });

  it("a relief that has begun goes on below its start, asks for the rest only, and ends at its stop", () => {
    const relief = { ...NO_RELIEF, isRelieving: true, rounds: 1 };
    expect(decideRelief([candidate("a", 750, { relief })], 0)).toMatchObject([
      { action: "evict", wantBytes: 150 },
    ]);
    // The floor is the first round's.
    const policy = toPoolPolicy({ floor: 0.5 });
    expect(decideRelief([candidate("a", 850, { policy })], 0)).toMatchObject([{ wantBytes: 500 }]);
    expect(decideRelief([candidate("a", 750, { policy, relief })], 0)).toMatchObject([{ wantBytes: 150 }]);
    expect(reasons([candidate("a", 700, { relief })])).toEqual({ a: "belowThreshold" });
    expect(reasons([candidate("a", 750)])).toEqual({ a: "belowThreshold" });
  });

  it("no relief begins during the cooldown, unless the pool is critical", () => {
    const relief = { ...NO_RELIEF, coolUntilMs: 100 };
    expect(reasons([candidate("a", 900, { relief })], 99)).toEqual({ a: "coolingDown" });
    expect(reasons([candidate("a", 900, { relief })], 100)).toEqual({ a: "evict" });
    expect(reasons([candidate("a", 950, { relief })], 99)).toEqual({ a: "evict" });
    expect(reasons([candidate("a", 900, { relief: { ...relief, isRelieving: true } })], 99)).toEqual({
      a: "evict",
    });
  });

  it("asks for no more than can be reclaimed, and for nothing where nothing can", () => {
    const of = (reclaimableBytes: number | null): ReliefCandidate =>
      candidate("a", 0, { reading: toReading({ usedBytes: 900, capacityBytes: 1000, reclaimableBytes }) });
    expect(decideRelief([of(50)], 0)).toMatchObject([{ action: "evict", wantBytes: 50 }]);
    expect(decideRelief([of(5000)], 0)).toMatchObject([{ action: "evict", wantBytes: 300 }]);
    expect(decideRelief([of(null)], 0)).toMatchObject([{ action: "evict", wantBytes: 300 }]);
    expect(reasons([of(0)])).toEqual({ a: "nothingReclaimable" });
  });

  it("a stale reading makes nothing critical: the others are relieved one by one", () => {
    const reading = toReading({ usedBytes: 990, capacityBytes: 1000, stale: true });
    expect(evicted([candidate("s", 0, { reading }), candidate("a", 850), candidate("b", 900)])).toEqual([
      "b",
    ]);
  });

  it("holds for all sets of pools", () => {
    const arbitrary = fc.record({
      name: fc.string({ minLength: 1, maxLength: 4 }),
      usedBytes: fc.nat(2000),
      capacityBytes: fc.constantFrom(0, 1000),
      stale: fc.boolean(),
      isEvicting: fc.boolean(),
      notBeforeMs: fc.constantFrom(0, 1000),
    });
    fc.assert(
      fc.property(fc.uniqueArray(arbitrary, { selector: ({ name }) => name, maxLength: 8 }), (specs) => {
        const candidates = specs.map(({ name, usedBytes, capacityBytes, stale, isEvicting, notBeforeMs }) =>
          candidate(name, 0, {
            reading: toReading({ usedBytes, capacityBytes, stale }),
            isEvicting,
            backOff: { ...NO_BACK_OFF, notBeforeMs },
          }),
        );
        const acted = decideRelief(candidates, 500).filter((d) => d.action === "evict");
        for (const { reading, name } of acted) {
          expect(reading.stale).toBe(false);
          expect(reading.pressure).toBeGreaterThanOrEqual(0.8);
          const spec = specs.find((s) => s.name === name);
          expect(spec).toMatchObject({ isEvicting: false, notBeforeMs: 0, capacityBytes: 1000 });
        }
        const highest = Math.max(
          0,
          ...specs.filter((s) => !s.stale).map((s) => toPressure(s.usedBytes, s.capacityBytes)),
        );
        if (highest < 0.95) expect(acted.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
