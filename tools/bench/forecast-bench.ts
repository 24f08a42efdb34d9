import { type FillSample, forecastFill } from "@continuum/broker-core";
import { type FillTrace, steadyTraces } from "./fill-traces.js";
import { noiseTraces } from "./noise-traces.js";
import { recordedTraces } from "./recorded-traces.js";
import { type Forecaster, quantileOf, scoreForecasts } from "./score-forecasts.js";

/** The estimator was built and its constants were set while looking at these ... */
const SEEN_SEEDS = [1, 2, 3, 4];
/** ... and not at these. */
const HELD_OUT_SEEDS = [9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008];
/** Of synthetic traces, which have thousands of readings. */
const ASK_EVERY = 5;

const forecasters: Readonly<Record<string, Forecaster>> = {
  continuum: (samples) => forecastFill(samples).timeToFullMs,
  "least squares over 30 min": leastSquares,
  "last two readings": (samples) => slopeToFull(samples.slice(-2)),
};

/** The tables of `npm run bench -- forecast`: error on fills, false forecasts on what isn't one. */
export function benchForecast(): string {
  const recorded = recordedTraces();
  const tables = (seeds: readonly number[], seen: boolean): string[] => {
    const synthetic = seeds.flatMap((seed) => [...steadyTraces(seed), ...noiseTraces(seed)]);
    const own = recorded
      .filter((trace) => trace.seen === seen)
      .map((trace) => ({ ...trace, name: `${trace.name}, ±${percent(trace.unsteadiness)}` }));
    return [...table(synthetic, ASK_EVERY), ...table(own, 1)];
  };
  return [
    "error: of the time to full, as a share of it (of a minute at least), once a fill is steady:",
    "three minutes after it began or changed its course, a minute where it is full within ten;",
    "of recordings, ± is how far the rate of one minute strays from the mean rate",
    "",
    `held out: seeds ${HELD_OUT_SEEDS.join(", ")}, and recordings that weren't looked at`,
    HEAD,
    ...tables(HELD_OUT_SEEDS, false),
    "",
    `seen while it was built: seeds ${SEEN_SEEDS.join(", ")}, and recordings`,
    HEAD,
    ...tables(SEEN_SEEDS, true),
  ].join("\n");
}

const NAME = 72;
const HEAD = `${"trace".padEnd(NAME)}forecaster                 forecast    median       p95     worst`;

function table(traces: readonly FillTrace[], askEvery: number): string[] {
  const rows = new Map<string, FillTrace[]>();
  for (const trace of traces) rows.set(trace.name, [...(rows.get(trace.name) ?? []), trace]);
  return [...rows].flatMap(([row, its]) =>
    Object.entries(forecasters).map(([name, forecast]) => {
      const { asked, made, errors } = scoreForecasts(its, forecast, askEvery);
      const isFill = its.some(({ fullAtMs }) => fullAtMs !== null);
      const cells = isFill
        ? [quantileOf(errors, 0.5), quantileOf(errors, 0.95), quantileOf(errors, 1)].map(percent)
        : ["none should be made"];
      const columns = [percent(made / asked), ...cells].map((cell) => cell.padStart(8));
      return `${row.padEnd(NAME)}${name.padEnd(26)} ${columns.join("  ")}`;
    }),
  );
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
  return Number.isFinite(ratio) ? `${(ratio * 100).toFixed(1)} %` : "–";
}
