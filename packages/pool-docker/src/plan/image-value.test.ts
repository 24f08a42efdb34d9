import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedUseRate, lossRate, type ValueContext } from "./image-value.js";
import { DAY, image, NOW, used } from "../testing/plan-fixtures.js";

const context: ValueContext = { use: undefined, isSuperseded: false, isRecoverable: true, nowMs: NOW };
const some = image("some", { arrivedAtMs: NOW - 40 * DAY });

describe("what an image is worth", () => {
  it("falls the longer nobody needs what isn't regular, and is never less than nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 * DAY }), fc.integer({ min: 1, max: 60 * DAY }), (a, b) => {
        const [near, far] = [Math.min(a, b), Math.max(a, b)];
        const rates = [near, far].map((agoMs) => expectedUseRate(some, used(NOW - agoMs), NOW));
        expect(rates[0]).toBeGreaterThanOrEqual(rates[1] ?? NaN);
        expect(rates[1]).toBeGreaterThan(0);
      }),
    );
  });

  it("is higher, and never lower, where nobody watched whether it was used; and never as high as with a use", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: DAY, max: 60 * DAY }), { maxLength: 8 }),
        fc.integer({ min: DAY / 24, max: 60 * DAY }),
        (agos, gapAgoMs) => {
          const [newest, ...more] = agos.sort((a, b) => a - b).map((agoMs) => NOW - agoMs);
          const watched =
            newest === undefined ? { ...used(0), lastUsedAtMs: null, recentUsesMs: [] } : used(newest, more);
          const unwatched = { ...watched, unwatchedUntilMs: NOW - gapAgoMs };
          expect(expectedUseRate(some, unwatched, NOW)).toBeGreaterThanOrEqual(
            expectedUseRate(some, watched, NOW),
          );
        },
      ),
    );
    const once = used(NOW - 20 * DAY);
    const rates = [once, { ...once, unwatchedUntilMs: NOW - DAY }, used(NOW - DAY)].map((use) =>
      expectedUseRate(some, use, NOW),
    );
    expect(rates).toEqual([...rates].sort((a, b) => a - b));
    expect(new Set(rates).size).toBe(3);
  });

  it("is less for what a newer one replaced, next to nothing without a name, and more for what can't be had again", () => {
    const normal = lossRate(some, context);
    const superseded = lossRate(some, { ...context, isSuperseded: true });
    const nameless = lossRate({ ...some, tags: [] }, context);
    expect(normal).toBeGreaterThan(superseded);
    expect(superseded).toBeGreaterThan(nameless);
    expect(lossRate(some, { ...context, isRecoverable: false })).toBeGreaterThan(normal);
    // Its digest still names it: people and tools pin images so.
    const pinned = { ...some, tags: [], digests: ["r/some@sha256:d"] };
    expect(lossRate(pinned, context)).toBe(normal);
    expect(lossRate(pinned, { ...context, isSuperseded: true })).toBe(nameless);
  });

  it("judges what is superseded by its last use alone: how often it was used while it was current says nothing", () => {
    const often = used(NOW - DAY, [NOW - DAY - 3_600_000, NOW - DAY - 7_200_000]);
    const superseded = { ...context, isSuperseded: true };
    expect(lossRate(some, { ...superseded, use: often })).toBe(
      lossRate(some, { ...superseded, use: used(NOW - DAY) }),
    );
    expect(lossRate(some, { ...context, use: often })).not.toBe(
      lossRate(some, { ...context, use: used(NOW - DAY) }),
    );
  });

  it("counts how long it took to build where no registry has it", () => {
    const built = (buildMs: number | null): number =>
      lossRate(
        { ...some, sizeBytes: 1_000_000_000, buildMs },
        { ...context, isRecoverable: false, use: used(NOW - DAY) },
      );
    expect(built(600_000)).toBeGreaterThan(built(1));
    expect(built(1)).toBe(built(null));
  });
});
