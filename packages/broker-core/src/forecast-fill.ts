/** A level of a pool at a time, as far as a forecast needs it. */
export interface FillSample {
  readonly monotonicMs: number;
  /** The pressure that decides, a ratio. */
  readonly pressure: number;
}

/** How a pool fills: its growth where that is certain, or why nothing can be said. */
export interface FillForecast {
  readonly basis: "steady" | "draining" | "flat" | "noisy" | "tooShort";
  /** Growth of the pressure a millisecond; null unless the basis is `steady` or `draining`. */
  readonly perMs: number | null;
  /** From the last sample until the pressure is 1, in ms; null unless it fills. */
  readonly timeToFullMs: number | null;
}

/** The samples are put together to so many levels: their noise averages out, growth doesn't. */
const BUCKETS = 24;
const MIN_BUCKETS = 8;
const MIN_SPAN_MS = 10_000;
/** Growth is certain when it is so many times its own uncertainty: a tenth of it is one standard error, then. */
const CERTAIN = 10;
/** A change below this share of the capacity is none. */
const FLAT = 0.001;
/** A level is an outlier, and so is a step, beyond so many times the usual deviation. */
const OUTLIER = 6;
/** So many steps may be left out, at most: a burst falls into one or two. */
const MAX_OUTLIERS = 2;
/** A fall by more than this share of the capacity at once is a relief, not noise. */
const DROP = 0.02;
/** The rate has changed when the halves differ by this share, and by so many standard errors. */
const CHANGED_SHARE = 0.25;
const CHANGED_ERRORS = 3;

const SILENT = { perMs: null, timeToFullMs: null } as const;

/**
 * When a pool will be full, from its readings of the last minutes, oldest first.
 *
 * Rests on the time since the last relief (a sawtooth's last tooth), and within that on the time since the rate last
 * changed. Growth must stand out from the scatter of its own steps, which tells a fill from noise, from a random walk and
 * from a single burst; a pool that falls back again and again is forecast only above all of its earlier peaks.
 */
export function forecastFill(samples: readonly FillSample[]): FillForecast {
  const last = samples.at(-1);
  if (last === undefined) return { basis: "tooShort", ...SILENT };
  const { tail, peaks } = cutAtDrops(samples);
  const levels = toLevels(tail);
  if (levels.length < MIN_BUCKETS || spanOf(levels) < MIN_SPAN_MS) return { basis: "tooShort", ...SILENT };
  const growth = steadyGrowth(levels);
  if (growth === null) {
    const pressures = levels.map(({ pressure }) => pressure);
    const isFlat = Math.max(...pressures) - Math.min(...pressures) < FLAT;
    return { basis: isFlat ? "flat" : "noisy", ...SILENT };
  }
  if (growth < 0) return { basis: "draining", perMs: growth, timeToFullMs: null };
  // One that has fallen back twice will do so again, until it is higher than ever.
  if (peaks.length >= 2 && last.pressure <= Math.max(...peaks)) return { basis: "noisy", ...SILENT };
  return { basis: "steady", perMs: growth, timeToFullMs: Math.max(0, 1 - last.pressure) / growth };
}

/** What came after the last drop, and the level before each drop. */
function cutAtDrops(samples: readonly FillSample[]): {
  readonly tail: readonly FillSample[];
  readonly peaks: readonly number[];
} {
  const steps = samples.slice(1).map(({ pressure }, i) => Math.abs(pressure - (samples[i]?.pressure ?? 0)));
  const threshold = Math.max(DROP, OUTLIER * median(steps));
  const peaks: number[] = [];
  let start = 0;
  let peak = -Infinity;
  for (const [i, { pressure }] of samples.entries()) {
    if (peak - pressure > threshold) {
      peaks.push(peak);
      start = i;
      peak = pressure;
    } else peak = Math.max(peak, pressure);
  }
  return { tail: samples.slice(start), peaks };
}

/** The samples of equal spans of time put together, each to its mean time and level. */
function toLevels(samples: readonly FillSample[]): readonly FillSample[] {
  const first = samples[0];
  if (first === undefined || samples.length <= MIN_BUCKETS) return samples;
  const spanMs = Math.max(1, spanOf(samples));
  const sums = Array.from({ length: BUCKETS }, () => ({ count: 0, ms: 0, pressure: 0 }));
  for (const { monotonicMs, pressure } of samples) {
    const bucket =
      sums[Math.min(BUCKETS - 1, Math.floor(((monotonicMs - first.monotonicMs) / spanMs) * BUCKETS))];
    if (bucket === undefined) continue;
    bucket.count += 1;
    bucket.ms += monotonicMs;
    bucket.pressure += pressure;
  }
  return sums.flatMap(({ count, ms, pressure }) =>
    count === 0 ? [] : [{ monotonicMs: ms / count, pressure: pressure / count }],
  );
}

/** Growth a ms that is certain, of the longest recent time in which it didn't change; null when there is none. */
function steadyGrowth(levels: readonly FillSample[]): number | null {
  const steps = levels.slice(1).map(({ monotonicMs, pressure }, i) => {
    const before = levels[i] ?? { monotonicMs, pressure };
    return { ms: monotonicMs - before.monotonicMs, change: pressure - before.pressure };
  });
  let recent = steps;
  while (recent.length >= MIN_BUCKETS - 1) {
    const half = Math.floor(recent.length / 2);
    const [older, newer] = [measure(recent.slice(0, half)), measure(recent.slice(half))];
    const difference = Math.abs(newer.perMs - older.perMs);
    const isChanged =
      difference > CHANGED_SHARE * Math.max(Math.abs(newer.perMs), Math.abs(older.perMs)) &&
      difference > CHANGED_ERRORS * Math.hypot(newer.error, older.error);
    if (!isChanged) break;
    recent = recent.slice(half);
  }
  if (recent.length < MIN_BUCKETS - 1) return null;
  const { perMs, error, total } = measure(recent);
  return Math.abs(total) >= FLAT && Math.abs(perMs) >= CERTAIN * error ? perMs : null;
}

interface Step {
  readonly ms: number;
  readonly change: number;
}

/** The mean growth of steps without their outliers, and its standard error, in ratio a ms. */
function measure(steps: readonly Step[]): {
  readonly perMs: number;
  readonly error: number;
  readonly total: number;
} {
  const usual = median(steps.map(({ change, ms }) => change / ms));
  const deviations = steps.map(({ change, ms }) => Math.abs(change - usual * ms));
  const scatter = OUTLIER * median(deviations);
  // Without scatter, a step of twice the usual one stands out; without a usual step, none does.
  const inliers = steps.filter(({ ms }, i) => {
    const limit = Math.max(scatter, Math.abs(usual) * ms);
    return limit === 0 || (deviations[i] ?? 0) <= limit;
  });
  // One burst is an outlier; where several steps stand out, that is how the pool fills.
  const kept = steps.length - inliers.length <= MAX_OUTLIERS ? inliers : steps;
  const ms = kept.reduce((sum, step) => sum + step.ms, 0);
  const total = kept.reduce((sum, step) => sum + step.change, 0);
  if (ms <= 0) return { perMs: 0, error: Infinity, total: 0 };
  const perMs = total / ms;
  const squares = kept.reduce((sum, step) => sum + (step.change - perMs * step.ms) ** 2, 0);
  return { perMs, error: Math.sqrt(squares) / ms, total };
}

function spanOf(samples: readonly FillSample[]): number {
  return (samples.at(-1)?.monotonicMs ?? 0) - (samples[0]?.monotonicMs ?? 0);
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
