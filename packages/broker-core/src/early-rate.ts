import type { FillSample } from "./forecast-fill.js";
import { quantile } from "./quantile.js";

/** A rate that few readings show beyond doubt. */
export interface EarlyRate {
  /** Growth of the pressure a ms, above 0. */
  readonly perMs: number;
  readonly spanMs: number;
  /** Variance a ms of what the fill does beside that rate. */
  readonly drift: number;
  readonly steps: number;
  /** What of that is seen in these steps. */
  readonly own: number;
  /** Variance of one reading, where steps make up for each other beyond doubt. */
  readonly noise: number;
}

/** Readings from one to the next that a rate rests on, at least, and how long they take. */
const MIN_STEPS = 5;
/** Each number of steps that is looked at is so many times the one before. */
const LONGER = 1.1;
const MIN_SPAN_MS = 2_000;
const MIN_STEP_MS = 50;
/** How probable it may be that a level which wanders about went as straight by chance. */
const BY_CHANCE = 1e-7;
/** A rate that changes steadily is none: its steps differ less from each other than from their mean, by this share. */
const SMOOTH = 0.35;
/** And it is a change where the rate will be another by this share when the pool is full. */
const BENT = 0.05;
/** Of few steps by so many, divided by the square of their number: they differ less like their neighbours. */
const SMOOTH_FEW = 40;
/** The rate has changed where the newest or the oldest steps differ from all by this share, and by so many standard errors. */
const CHANGED_SHARE = 0.05;
const CHANGED_ERRORS = 3;
/** Steps make up for each other beyond doubt where that is so many standard errors of what chance would do. */
const TREMBLES = 2;

interface Step {
  readonly ms: number;
  readonly change: number;
}

/**
 * The rates that a series may be said to go at now though it was seen for a short time only, longest first. The fewer
 * steps, the more alike they have to be: the share of their squares that isn't their mean growth, to the power of half
 * their degrees of freedom, is how likely a random walk is to go so straight. `trembling` is the variance of a step a ms
 * that is known from before. What bends, or has changed at one of its ends, is left out.
 */
export function earlyRates(samples: readonly FillSample[], trembling: number): readonly EarlyRate[] {
  const steps = toSteps(samples);
  const rates: EarlyRate[] = [];
  let [spanMs, rise, squares] = [0, 0, 0];
  let next = MIN_STEPS;
  for (let count = 1; count <= steps.length; count += 1) {
    const step = steps[steps.length - count];
    if (step === undefined) break;
    spanMs += step.ms;
    rise += step.change;
    squares += step.change ** 2 / step.ms;
    if (count < next && count < steps.length) continue;
    next = Math.ceil(count * LONGER);
    if (count < MIN_STEPS || spanMs < MIN_SPAN_MS || rise <= 0) continue;
    const own = Math.max(0, squares - rise ** 2 / spanMs);
    const strayed = Math.max(own, trembling * (count - 1));
    const unexplained = strayed / (strayed + rise ** 2 / spanMs);
    if (unexplained > BY_CHANCE ** (2 / (count - 1))) continue;
    const part = steps.slice(-count);
    const rate = {
      perMs: rise / spanMs,
      spanMs,
      drift: strayed / (count - 1),
      own: own / (count - 1),
      steps: count,
      noise: noiseOf(part, rise / spanMs),
    };
    const room = 1 - (samples.at(-1)?.pressure ?? 1);
    if (!isBent(part, rate, room) && !isChanged(part, rate)) rates.unshift(rate);
  }
  return rates;
}

/** How much a level trembles from one reading to the next, as a variance a ms: by three quarters of its readings, so that no burst counts. */
export function tremblingOf(samples: readonly FillSample[]): number {
  const steps = toSteps(samples);
  const apart = new Float64Array(Math.max(0, steps.length - 1));
  for (let i = 1; i < steps.length; i += 1) {
    const [before, after] = [steps[i - 1], steps[i]];
    if (before !== undefined && after !== undefined) apart[i - 1] = difference(before, after);
  }
  // Three quarters of the squares of a normal deviate are below 1.323 of their mean.
  return quantile(apart, 0.75) / 1.323;
}

/** From the newest reading back: a relief looks twice within milliseconds, and a lump between two such looks is no rate. */
function toSteps(samples: readonly FillSample[]): readonly Step[] {
  const steps: Step[] = [];
  let after = samples.at(-1);
  for (let i = samples.length - 2; i >= 0 && after !== undefined; i -= 1) {
    const before = samples[i];
    if (before === undefined || after.monotonicMs - before.monotonicMs < MIN_STEP_MS) continue;
    steps.push({ ms: after.monotonicMs - before.monotonicMs, change: after.pressure - before.pressure });
    after = before;
  }
  return steps.reverse();
}

/** Of two steps, the variance a ms that their rates' difference shows; growth at one rate has none. */
function difference(before: Step, after: Step): number {
  const rates = after.change / after.ms - before.change / before.ms;
  return rates ** 2 / (1 / after.ms + 1 / before.ms);
}

/** The variance a ms that is seen from one step to the next: a rate that changes once or slowly hardly adds to it. */
function successive(steps: readonly Step[]): number {
  let sum = 0;
  for (let i = 1; i < steps.length; i += 1) {
    const [before, after] = [steps[i - 1], steps[i]];
    if (before !== undefined && after !== undefined) sum += difference(before, after);
  }
  return sum / Math.max(1, steps.length - 1);
}

function rateOf(steps: readonly Step[]): number {
  const ms = steps.reduce((sum, step) => sum + step.ms, 0);
  return ms > 0 ? steps.reduce((sum, { change }) => sum + change, 0) / ms : 0;
}

/** The variance of one reading: where readings tremble, one step is the longer as the next is shorter. */
function noiseOf(steps: readonly Step[], perMs: number): number {
  const stray = steps.map(({ ms, change }) => change - perMs * ms);
  const squares = stray.reduce((sum, each) => sum + each ** 2, 0);
  const products = stray.reduce((sum, each, i) => sum + each * (stray[i - 1] ?? 0), 0);
  return -products > (TREMBLES * squares) / Math.sqrt(steps.length) ? -products / steps.length : 0;
}

/** Whether steps differ as their neighbours do, and so much that the rate would be another by the time that the pool is full. */
function isBent(steps: readonly Step[], { perMs, spanMs, own }: EarlyRate, room: number): boolean {
  if (successive(steps) > Math.max(SMOOTH, SMOOTH_FEW / steps.length ** 2) * own) return false;
  const differ = Math.sqrt((3 * own * steps.length) / spanMs) / perMs;
  return differ * (1 + room / perMs / spanMs) ** 2 > BENT;
}

function isChanged(steps: readonly Step[], { perMs, drift }: EarlyRate): boolean {
  const usual = Math.min(drift, successive(steps));
  for (let count = 2; count <= steps.length / 2; count = Math.ceil(count * 1.4)) {
    for (const part of [steps.slice(-count), steps.slice(0, count)]) {
      const ms = part.reduce((sum, step) => sum + step.ms, 0);
      const change = Math.abs(rateOf(part) - perMs);
      if (change > CHANGED_SHARE * perMs && change > CHANGED_ERRORS * Math.sqrt(usual / ms)) return true;
    }
  }
  return false;
}
