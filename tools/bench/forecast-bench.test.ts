import { forecastFill } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import { type FillTrace, steadyTraces } from "./fill-traces.js";
import { noiseTraces } from "./noise-traces.js";
import { recordedTraces } from "./recorded-traces.js";
import { quantileOf, scoreForecasts } from "./score-forecasts.js";

const SEEDS = [1, 2];
/** Not every reading: the bench does that. */
const ASK_EVERY = 25;

const byName = (traces: readonly FillTrace[]): [string, FillTrace[]][] => {
  const names = [...new Set(traces.map(({ name }) => name))];
  return names.map((name) => [name, traces.filter((trace) => trace.name === name)]);
};
const score = (traces: readonly FillTrace[], askEvery = ASK_EVERY) =>
  scoreForecasts(traces, (samples) => forecastFill(samples).timeToFullMs, askEvery);

describe("a forecast, once a fill is steady", () => {
  it.each(byName(SEEDS.flatMap(steadyTraces)))("is at most 15 % off: %s", (_name, traces) => {
    const { asked, made, errors } = score(traces);
    expect(quantileOf(errors, 0.95)).toBeLessThanOrEqual(0.15);
    // And it is made: silence alone would be no merit.
    expect(made / asked).toBeGreaterThan(0.5);
  });

  it.each(byName(recordedTraces()))("is at most 15 % off: %s", (_name, traces) => {
    const { errors } = score(traces, 5);
    // Fills that come in large lumps have none.
    if (errors.length > 0) expect(quantileOf(errors, 0.95)).toBeLessThanOrEqual(0.15);
  });

  it("is made on half of the recorded fills, at least", () => {
    const recorded = recordedTraces().map((trace) => score([trace], 5));
    const spoken = recorded.filter(({ asked, made }) => made / asked > 0.5);
    expect(spoken.length).toBeGreaterThanOrEqual(recorded.length / 2);
  });
});

describe("no forecast at all", () => {
  it.each(byName(SEEDS.flatMap(noiseTraces)))("is made of: %s", (_name, traces) => {
    const { asked, made } = score(traces, 5);
    expect(asked).toBeGreaterThan(300);
    expect(made).toBe(0);
  });
});
