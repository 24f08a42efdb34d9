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

  it("is made of a recorded fill that keeps its rate for more than three minutes, and is at most 15 % off", () => {
    const steady = recordedTraces().filter(
      ({ unsteadiness, fullAtMs }) => unsteadiness < 0.05 && (fullAtMs ?? 0) > 180_000,
    );
    expect(steady.length).toBeGreaterThanOrEqual(4);
    for (const trace of steady) {
      const { asked, made, errors } = score([trace], 5);
      expect(made / asked, trace.name).toBeGreaterThan(0.5);
      expect(quantileOf(errors, 0.95), trace.name).toBeLessThanOrEqual(0.15);
    }
  });

  it("is hardly ever more than 15 % off on any recorded fill, steady or not", () => {
    const scores = recordedTraces().map((trace) => score([trace], 1));
    const asked = scores.reduce((sum, each) => sum + each.asked, 0);
    const wrong = scores.flatMap(({ errors }) => errors).filter((error) => error > 0.15);
    expect(wrong.length / asked).toBeLessThan(0.005);
  });
});

describe("no forecast at all", () => {
  it.each(byName(SEEDS.flatMap(noiseTraces)))("is made of: %s", (_name, traces) => {
    const { asked, made } = score(traces, 5);
    expect(asked).toBeGreaterThan(300);
    expect(made).toBe(0);
  });
});
