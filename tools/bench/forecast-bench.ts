import { type FillSample, forecastFill } from "@continuum/broker-core";
import { type FillTrace, steadyTraces } from "./fill-traces.js";
import { noiseTraces } from "./noise-traces.js";
import { recordedTraces } from "./recorded-traces.js";
import { type Forecaster, quantileOf, scoreForecasts } from "./score-forecasts.js";

/** The estimator was built and its constants were set while looking at these ... */
const SEEN_SEEDS = [1, 2, 3, 4];
/** ... and not at these. */
const HELD_OUT_SEEDS = [7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008];
/** Of synthetic traces, which have thousands of readings; of held-out noise the estimator is asked after each. */
const ASK_EVERY = 5;

const forecasters: Readonly<Record<string, Forecaster>> = {
  continuum: (samples) => forecastFill(samples).timeToFullMs,
  "least squares": leastSquares,
  "last two": (samples) => slopeToFull(samples.slice(-2)),
};

/** The tables of `npm run bench -- forecast`: error and coverage on fills, false forecasts on what isn't one. */
export function benchForecast(): string {
  const recorded = recordedTraces();
  const tables = (seeds: readonly number[], seen: boolean): string[] => [
    ...fillTable(seeds.flatMap(steadyTraces), ASK_EVERY),
    ...fillTable(
      recorded.filter((trace) => trace.seen === seen),
      1,
    ),
    "",
    NOISE_HEAD,
    ...noiseTable(seeds.flatMap(noiseTraces), seen ? ASK_EVERY : 1),
  ];
  return [
    "steady: from a quarter of the time to full before a reading (2 s to 4 min, five readings at least), and in each",
    "quarter of the time from then until the pool is full, it fills at the rate that fills it in time, give or take 10 %;",
    "by what is true of the trace, not by any forecast. Error: of the time to full, as a share of it (of ten seconds at least)",
    "",
    `held out: seeds ${HELD_OUT_SEEDS.join(", ")}, and recordings that weren't looked at`,
    FILL_HEAD,
    ...tables(HELD_OUT_SEEDS, false),
    "",
    `seen while it was built: seeds ${SEEN_SEEDS.join(", ")}, and recordings`,
    FILL_HEAD,
    ...tables(SEEN_SEEDS, true),
  ].join("\n");
}

const NAME = 68;
const WHOSE = 18;
const TARGET = 0.15;
const row = (name: string, whose: string, cells: readonly string[], end: string): string =>
  `${name.padEnd(NAME)}${whose.padEnd(WHOSE)}${cells.map((cell) => cell.padStart(9)).join("")}  ${end}`.trimEnd();
const FILL_HEAD = [
  row("", "", ["where", "steady:"], "                                        elsewhere:"),
  row(
    "fill",
    "forecaster",
    ["steady", "forecast", "silent*", "median", "p95", "worst", "forecast", "p95", "worst"],
    "target: worst <= 15 % where steady",
  ),
  "  * readings from where it is steady to the first forecast, the median of the traces",
].join("\n");
const NOISE_HEAD = row("no fill", "forecaster", ["forecast", "readings"], "target: none");

function fillTable(traces: readonly FillTrace[], askEvery: number): string[] {
  return byName(traces).flatMap(([name, its]) =>
    Object.entries(forecasters).map(([whose, forecast]) => {
      const { steady, other, silentReadings } = scoreForecasts(its, forecast, askEvery);
      const wrong = steady.errors.filter((error) => error > TARGET).length;
      const cells = [
        percent(steady.asked / (steady.asked + other.asked)),
        percent(steady.made / steady.asked),
        Number.isNaN(quantileOf(silentReadings, 0.5)) ? "–" : String(quantileOf(silentReadings, 0.5)),
        ...[0.5, 0.95, 1].map((share) => percent(quantileOf(steady.errors, share))),
        percent(other.made / other.asked),
        ...[quantileOf(other.errors, 0.95), quantileOf(other.errors, 1)].map(percent),
      ];
      return row(name, whose, cells, steady.made === 0 ? "–" : wrong === 0 ? "met" : `MISSED (${wrong})`);
    }),
  );
}

function noiseTable(traces: readonly FillTrace[], askEvery: number): string[] {
  return byName(traces).flatMap(([name, its]) =>
    Object.entries(forecasters).map(([whose, forecast]) => {
      const { asked, made } = scoreForecasts(
        its,
        forecast,
        whose === "continuum" ? askEvery : ASK_EVERY,
      ).other;
      return row(
        name,
        whose,
        [percent(made / asked), String(asked)],
        made === 0 ? "met" : `MISSED (${made})`,
      );
    }),
  );
}

function byName(traces: readonly FillTrace[]): readonly [string, readonly FillTrace[]][] {
  const rows = new Map<string, FillTrace[]>();
  for (const trace of traces) rows.set(trace.name, [...(rows.get(trace.name) ?? []), trace]);
  return [...rows];
}

function slopeToFull(samples: readonly FillSample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return null;
  const perMs = (last.pressure - first.pressure) / (last.monotonicMs - first.monotonicMs);
  return perMs > 0 ? (1 - last.pressure) / perMs : null;
}

function leastSquares(samples: readonly FillSample[]): number | null {
  const count = samples.length;
  const last = samples.at(-1);
  if (count < 3 || last === undefined) return null;
  const meanMs = samples.reduce((sum, { monotonicMs }) => sum + monotonicMs, 0) / count;
  const mean = samples.reduce((sum, { pressure }) => sum + pressure, 0) / count;
  let [products, squares] = [0, 0];
  for (const { monotonicMs, pressure } of samples) {
    products += (monotonicMs - meanMs) * (pressure - mean);
    squares += (monotonicMs - meanMs) ** 2;
  }
  return products > 0 ? (1 - last.pressure) / (products / squares) : null;
}

function percent(ratio: number): string {
  if (ratio > 10) return "> 1000 %";
  return Number.isFinite(ratio) ? `${(ratio * 100).toFixed(1)} %` : "–";
}
