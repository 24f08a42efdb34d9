import { forecastFill } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import { type FillTrace, steadyTraces } from "./fill-traces.js";
import { noiseTraces } from "./noise-traces.js";
import { recordedTraces } from "./recorded-traces.js";
import { quantileOf, scoreForecasts } from "./score-forecasts.js";
import { steadyReadings } from "./steady-readings.js";

const SEEDS = [1, 2];
/** Not every reading: the bench does that. */
const ASK_EVERY = 25;

const byName = (traces: readonly FillTrace[]): [string, FillTrace[]][] => {
  const names = [...new Set(traces.map(({ name }) => name))];
  return names.map((name) => [name, traces.filter((trace) => trace.name === name)]);
};
const score = (traces: readonly FillTrace[], askEvery = ASK_EVERY) =>
  scoreForecasts(traces, (samples) => forecastFill(samples).timeToFullMs, askEvery);
/** A level from 0.2 on, a reading a second. */
const traceOf = (levels: readonly number[], fullAtMs: number): FillTrace => ({
  name: "",
  fullAtMs,
  looksFromMs: 0,
  points: levels.map((level, i) => ({ atMs: i * 1_000, pressure: level, level })),
});

describe("a steady reading", () => {
  it("is one whose rate, for a while before and until it is full, is within a tenth of the mean", () => {
    const line = steadyReadings(
      traceOf(
        Array.from({ length: 80 }, (_, i) => 0.2 + i * 0.01),
        80_000,
      ),
    );
    expect(line.slice(0, 5)).toEqual([false, false, false, false, false]);
    expect(line.slice(5).every(Boolean)).toBe(true);
    // 20 % faster from the middle on: steady only once the time before it is past the change.
    const faster = Array.from({ length: 73 }, (_, i) => 0.2 + i * 0.01 + Math.max(0, i - 40) * 0.0025);
    const isSteady = steadyReadings(traceOf(faster, 72_000));
    expect(isSteady.slice(0, 40)).not.toContain(true);
    expect(isSteady.slice(50, 72).every(Boolean)).toBe(true);
  });

  it("isn't there where a pool never fills", () => {
    expect(steadyReadings({ ...traceOf([0.2, 0.3], 1), fullAtMs: null })).toEqual([false, false]);
  });
});

describe("a forecast, where a fill is steady", () => {
  it.each(byName(SEEDS.flatMap(steadyTraces)))("is at most 15 % off: %s", (name, traces) => {
    const { steady, silentReadings } = score(
      traces,
      Math.min(ASK_EVERY, Math.ceil((traces[0]?.points.length ?? 0) / 40)),
    );
    expect(steady.asked).toBeGreaterThan(5);
    expect(quantileOf(steady.errors, 0.95)).toBeLessThanOrEqual(0.15);
    expect(quantileOf(steady.errors, 1)).toBeLessThanOrEqual(0.15);
    // And it is made: silence alone would be no merit. Of what comes by chance it has to see more first.
    expect(steady.made / steady.asked).toBeGreaterThan(name.includes("chunks") ? 0.6 : 0.75);
    expect(silentReadings.length).toBeGreaterThan(0);
  });

  it.each([
    ["steady", 24],
    ["short, full in a minute, read every second", 9],
    ["still for a minute, then 0.35 to full in 36 s, read as a core does", 5],
    ["fast, full in five minutes", 9],
  ])("comes within a few readings: %s, %d", (name, most) => {
    const traces = [1, 2, 3, 4].flatMap(steadyTraces).filter((trace) => trace.name === name);
    expect(quantileOf(score(traces).silentReadings, 0.5)).toBeLessThanOrEqual(most);
  });

  it("is made of recorded fills that are steady most of the time, and 95 of 100 are at most 15 % off", () => {
    const scores = recordedTraces().map((trace) => ({ name: trace.name, ...score([trace], 5) }));
    const mostly = scores.filter(({ steady, other }) => steady.asked > other.asked && steady.asked > 10);
    expect(mostly.length).toBeGreaterThanOrEqual(4);
    for (const { name, steady } of mostly) {
      expect(steady.made / steady.asked, name).toBeGreaterThan(0.5);
      expect(quantileOf(steady.errors, 0.95), name).toBeLessThanOrEqual(0.15);
    }
  });

  it("is hardly ever more than 15 % off on any recorded fill, steady or not", () => {
    const scores = recordedTraces().map((trace) => score([trace], 1));
    const all = scores.flatMap(({ steady, other }) => [steady, other]);
    const asked = all.reduce((sum, each) => sum + each.asked, 0);
    const wrong = all.flatMap(({ errors }) => errors).filter((error) => error > 0.15);
    expect(wrong.length / asked).toBeLessThan(0.02);
  });
});

describe("no forecast at all", () => {
  it.each(byName(SEEDS.flatMap(noiseTraces)))("is made of: %s", (_name, traces) => {
    const { asked, made } = score(traces, 5).other;
    expect(asked).toBeGreaterThan(300);
    expect(made).toBe(0);
  });
});
