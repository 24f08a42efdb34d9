import type { FillSample } from "./forecast-fill.js";
import { toLevels } from "./to-levels.js";

const MAX_LEVELS = 32;
/** Levels stray like their neighbours where the square of their difference is below this share of their variance; half of it would be chance. */
const SMOOTH = 0.2;
/** Of few levels by so many, divided by the square of their number. */
const SMOOTH_FEW = 250;

/** A straight line through readings, and how they stray from it. Variances are of the pressure, squared. */
export interface LineFit {
  /** Growth of the pressure a ms. */
  readonly perMs: number;
  readonly spanMs: number;
  /** Where the line is at the newest reading. */
  readonly level: number;
  /** How much it bends: how far levels stray from it as a share of its rise, where one strays like the next; 0 where they don't. */
  readonly bend: number;
  /** Readings that it rests on, and what they were put together to. */
  readonly readings: number;
  readonly levels: number;
  /** Variance a ms of what the fill does beside its mean rate: it adds up over time. */
  readonly drift: number;
  /** Variance of one reading around the line: it doesn't add up. */
  readonly noise: number;
  /** What of that is seen from one reading to the next: the rest is teeth that are made up for. */
  readonly trembling: number;
  /** The drift from one reading to the next alone: it sees single lumps, and not that the rate has changed. */
  readonly lumps: number;
}

/**
 * Least squares through readings from index `from` on, its deviations told apart by their variogram: how much two levels
 * stray from each other grows with the time between them where a fill comes in lumps, and doesn't where a level
 * trembles. Null where there are fewer than `minLevels`.
 */
export function fitLine(samples: readonly FillSample[], from: number, minLevels: number): LineFit | null {
  const levels = toLevels(samples, from, MAX_LEVELS);
  const [first, last] = [levels[0], levels.at(-1)];
  if (first === undefined || last === undefined || levels.length < minLevels) return null;
  const spanMs = last.monotonicMs - first.monotonicMs;
  if (spanMs <= 0) return null;
  const newestMs = samples.at(-1)?.monotonicMs ?? 0;
  const perMs = slope(levels);
  const raw = levels.map(({ monotonicMs, pressure }) => pressure - perMs * (monotonicMs - newestMs));
  const level = raw.reduce((sum, each) => sum + each, 0) / raw.length;
  const stray = raw.map((each) => each - level);
  const stepMs = spanMs / (levels.length - 1);
  const nearest = variogram(stray, 1);
  const readings = samples.length - from;
  const products = neighbours(samples, from, perMs);
  const trembling = Math.max(0, -products / readings);
  const drift = driftOf(stray, nearest, stepMs);
  const noise = (Math.max(0, nearest - drift * stepMs) / 2) * (readings / levels.length);
  const lumps = (2 * Math.max(0, products)) / spanMs;
  const squares = stray.reduce((sum, each) => sum + each ** 2, 0);
  const isSmooth =
    nearest * (levels.length - 1) < Math.max(SMOOTH, SMOOTH_FEW / levels.length ** 2) * squares;
  const bend = isSmooth ? Math.sqrt(squares / levels.length) / Math.abs(perMs * spanMs) : 0;
  return { perMs, spanMs, level, bend, readings, levels: levels.length, drift, noise, trembling, lumps };
}

/** The standard error of the slope of least squares: 6/5 of the drift over the span, and 12 of the noise. */
export function growthError({
  spanMs,
  readings,
  drift,
  noise,
}: Pick<LineFit, "spanMs" | "readings" | "drift" | "noise">): number {
  return Math.sqrt((1.2 * drift) / spanMs + (12 * noise) / (readings * spanMs * spanMs));
}

function slope(levels: readonly FillSample[]): number {
  let [meanMs, mean] = [0, 0];
  for (const { monotonicMs, pressure } of levels) {
    meanMs += monotonicMs / levels.length;
    mean += pressure / levels.length;
  }
  let [products, squares] = [0, 0];
  for (const { monotonicMs, pressure } of levels) {
    products += (monotonicMs - meanMs) * (pressure - mean);
    squares += (monotonicMs - meanMs) ** 2;
  }
  return squares > 0 ? products / squares : 0;
}

/**
 * By the two longest lags that are seen often enough. Lumps that hang together are seen at long lags only, and what is
 * made up for soon (trees that are copied again and again) at short ones only: it doesn't add up.
 */
function driftOf(stray: readonly number[], nearest: number, stepMs: number): number {
  const longest = Math.floor(stray.length / 4);
  const lags = [longest, Math.max(2, Math.floor(longest / 2))].filter((lag) => lag >= 2);
  const each = lags.map((lag) => (variogram(stray, lag) - nearest) / ((lag - 1) * stepMs));
  return Math.max(0, each.reduce((sum, drift) => sum + drift, 0) / Math.max(1, each.length));
}

/** Mean square of the differences of levels `lag` apart, corrected for what the line has taken of it. */
function variogram(stray: readonly number[], lag: number): number {
  const pairs = stray.length - lag;
  let sum = 0;
  for (let i = 0; i < pairs; i += 1) sum += ((stray[i + lag] ?? 0) - (stray[i] ?? 0)) ** 2;
  return sum / pairs / (1 - lag / stray.length);
}

/** The sum of the products of steps that follow each other, but for the line: above 0 where lumps hang together, below it where readings tremble. */
function neighbours(samples: readonly FillSample[], from: number, perMs: number): number {
  let [sum, before] = [0, 0];
  for (let i = from + 1; i < samples.length; i += 1) {
    const [a, b] = [samples[i - 1], samples[i]];
    if (a === undefined || b === undefined) continue;
    const step = b.pressure - a.pressure - perMs * (b.monotonicMs - a.monotonicMs);
    if (i > from + 1) sum += before * step;
    before = step;
  }
  return sum;
}
