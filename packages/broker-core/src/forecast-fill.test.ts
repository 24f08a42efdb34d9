import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FillSample, forecastFill } from "./forecast-fill.js";

/** Readings every five seconds of a level by its number. */
const fill = (count: number, level: (i: number) => number, stepMs = 5_000): FillSample[] =>
  Array.from({ length: count }, (_, i) => ({ monotonicMs: i * stepMs, pressure: level(i) }));

describe("forecastFill", () => {
  it("says when a steady fill is full", () => {
    const { basis, timeToFullMs } = forecastFill(fill(100, (i) => 0.5 + i * 0.001));
    expect(basis).toBe("steady");
    expect(timeToFullMs).toBeCloseTo(401 * 5_000, -2);
  });

  it("knows nothing at first, of what stands still, and of what shrinks", () => {
    expect(forecastFill([]).basis).toBe("tooShort");
    expect(forecastFill(fill(5, (i) => i * 0.01)).basis).toBe("tooShort");
    expect(forecastFill(fill(100, () => 0.5))).toEqual({ basis: "flat", perMs: null, timeToFullMs: null });
    expect(forecastFill(fill(100, (i) => 0.9 - i * 0.001))).toMatchObject({
      basis: "draining",
      timeToFullMs: null,
    });
  });

  it("a relief starts it anew: the time before it says nothing of the rate", () => {
    const { timeToFullMs } = forecastFill(
      fill(200, (i) => (i < 100 ? 0.4 + i * 0.004 : 0.5 + (i - 100) * 0.001)),
    );
    expect(timeToFullMs).toBeCloseTo(401 * 5_000, -2);
  });

  it("what falls back again and again is forecast only far above its peaks", () => {
    const teeth = (i: number): number => 0.4 + (i % 50) * 0.008;
    expect(forecastFill(fill(190, teeth)).basis).toBe("noisy");
    const above = fill(300, (i) => (i < 150 ? teeth(i) : 0.4 + (i - 150) * 0.004));
    expect(forecastFill(above)).toMatchObject({ basis: "steady" });
  });

  it("a burst within a steady fill isn't its rate, and one alone is none", () => {
    const steady = forecastFill(fill(200, (i) => 0.2 + i * 0.001 + (i > 100 ? 0.1 : 0)));
    expect(steady.perMs).toBeCloseTo(0.001 / 5_000, 9);
    expect(forecastFill(fill(200, (i) => (i > 100 ? 0.7 : 0.5))).timeToFullMs).toBeNull();
  });

  it("follows a rate that has changed", () => {
    const { perMs } = forecastFill(fill(300, (i) => 0.1 + (i < 150 ? i * 0.001 : 0.15 + (i - 150) * 0.003)));
    // One level in which both rates met may still count.
    expect((perMs ?? 0) / (0.003 / 5_000)).toBeCloseTo(1, 1);
  });

  it("is silent in a fill that pauses again and again, until it has seen more than the pauses", () => {
    // Half a minute of growth, half a minute of none: at twice the rate at which it fills.
    const pausing = (i: number): number => 0.2 + (Math.floor(i / 12) * 6 + Math.min(6, i % 12)) * 0.001;
    const said = Array.from({ length: 200 }, (_, i) => ({
      i,
      ms: forecastFill(fill(i + 1, pausing)).timeToFullMs,
    })).filter(({ ms }) => ms !== null);
    expect(said.length).toBeGreaterThan(50);
    for (const { i, ms } of said) expect((ms ?? 0) / ((1 - pausing(i)) * 10_000_000)).toBeCloseTo(1, 0.8);
  });

  it("never takes the rise of a wave for a fill, whatever its period, its height and where it begins", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 60, max: 3_600, noNaN: true }),
        fc.double({ min: 0.02, max: 0.45, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(1_000, 5_000, 30_000),
        fc.integer({ min: 6, max: 720 }),
        (periodS, height, begins, stepMs, count) => {
          const level = (i: number): number =>
            0.5 + height * Math.sin(2 * Math.PI * ((i * stepMs) / 1_000 / periodS + begins));
          // Fewer than six readings in a quarter of a wave are no wave to anybody.
          if ((periodS * 1_000) / stepMs < 24) return;
          expect(forecastFill(fill(count, level, stepMs)).timeToFullMs).toBeNull();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("knows no more than what lies between two readings", () => {
    // Full after 3,000 readings, read in steps of half a percent.
    for (let count = 2_900; count < 3_000; count += 3) {
      const stepped = (i: number): number =>
        Math.floor((0.3 + ((i + 3_000 - count) * 0.7) / 3_000) * 200) / 200;
      const read = fill(count, (i) => stepped(i - 3_000 + count)).slice(-720);
      const { timeToFullMs } = forecastFill(read);
      const trueMs = (3_000 - count + 1) * 5_000;
      if (timeToFullMs !== null)
        expect(Math.abs(timeToFullMs - trueMs) / trueMs, `${count}`).toBeLessThan(0.15);
    }
  });

  it("doesn't take the first rise of a wave for a fill where readings tremble", () => {
    const trembles = (i: number): number => 0.002 * Math.sin(i * i * 12.9898);
    for (const periodS of [600, 900, 1_800])
      for (let count = 16; count * 5 < periodS / 2; count += 1) {
        const wave = (i: number): number =>
          0.5 + 0.1 * Math.sin((2 * Math.PI * i * 5) / periodS) + trembles(i);
        expect(forecastFill(fill(count, wave)).timeToFullMs, `${periodS} s, ${count}`).toBeNull();
      }
  });

  it("never speaks of noise", () => {
    const noise = fc.array(fc.double({ min: 0.45, max: 0.55, noNaN: true }), {
      minLength: 20,
      maxLength: 200,
    });
    fc.assert(
      fc.property(noise, (levels) => {
        // In random order, whatever fast-check prefers.
        const shuffled = levels
          .map((level, i) => ({ level, key: Math.sin(i * 12_989.1 + level * 78_233) }))
          .sort((a, b) => a.key - b.key);
        expect(forecastFill(fill(shuffled.length, (i) => shuffled[i]?.level ?? 0)).timeToFullMs).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  it("gives times that can be: finite, from 0, the shorter the faster, whatever the scale of time", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 1.4e-3, noNaN: true }),
        fc.integer({ min: 250, max: 60_000 }),
        (rate, stepMs) => {
          const at = (perStep: number, ms = stepMs): number =>
            forecastFill(fill(300, (i) => 0.3 + i * perStep, ms)).timeToFullMs ?? Number.NaN;
          const ms = at(rate);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(at(rate * 1.5)).toBeLessThan(ms);
          expect(at(rate, stepMs * 2) / ms).toBeCloseTo(2, 3);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ monotonicMs: fc.nat(1e7), pressure: fc.double({ min: 0, max: 2, noNaN: true }) }),
          { maxLength: 60 },
        ),
        (samples) => {
          const sorted = [...samples].sort((a, b) => a.monotonicMs - b.monotonicMs);
          const { timeToFullMs } = forecastFill(sorted);
          expect(timeToFullMs === null || (Number.isFinite(timeToFullMs) && timeToFullMs >= 0)).toBe(true);
        },
      ),
    );
  });
});
