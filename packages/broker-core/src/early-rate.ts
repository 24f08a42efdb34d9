import type { FillSample } from "./forecast-fill.js";

/** A rate that few readings show beyond doubt. */
export interface EarlyRate {
  /** Growth of the pressure a ms, above 0. */
  readonly perMs: number;
  readonly spanMs: number;
  /** Variance a ms of what the fill does beside that rate. */
  readonly drift: number;
  readonly steps: number;
}

/** Readings from one to the next that a rate rests on, at least and at most, and how long they take. */
const MIN_STEPS = 5;
const MAX_STEPS = 400;
const MIN_SPAN_MS = 2_000;
const MIN_STEP_MS = 50;
/** How probable it may be that a level which wanders about went as straight by chance. */
const BY_CHANCE = 1e-7;
/** A rate that changes steadily is none: its steps differ less from each other than from their mean, by this share. */
const SMOOTH = 0.35;
/** And it is a change where the rate will be another by this share when the pool is full. */
const BENT = 0.3;
/** The rate has changed where the newest steps differ from all by this share, and by so many standard errors. */
const CHANGED_SHARE = 0.05;
const CHANGED_ERRORS = 3;
/** What came before may be a pause: growth of less than this share of the rate. */
const PAUSE = 0.25;

interface Step {
  readonly ms: number;
  readonly change: number;
}

/**
 * The rates that a series may be said to go at now though it was seen for a short time only, longest first. The fewer
 * steps, the more alike they have to be: the share of their squares that isn't their mean growth, to the power of half
 * their degrees of freedom, is how likely a random walk is to go so straight. `trembling` is the variance of a step a ms
 * that is known from before. Each begins where the series does, or after a pause; what bends is left out.
 */
export function earlyRates(samples: readonly FillSample[], trembling: number): readonly EarlyRate[] {
  const steps = toSteps(samples);
  const rates: EarlyRate[] = [];
  let [spanMs, rise, squares] = [0, 0, 0];
  for (let count = 1; count <= Math.min(MAX_STEPS, steps.length); count += 1) {
    const step = steps[steps.length - count];
    if (step === undefined) break;
    spanMs += step.ms;
    rise += step.change;
    squares += step.change ** 2 / step.ms;
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
      steps: count,
    };
    const room = 1 - (samples.at(-1)?.pressure ?? 1);
    if (isAfterPause(steps.slice(0, -count), rate) && !isBent(part, rate, room) && !isChanged(part, rate))
      rates.unshift(rate);
  }
  return rates;
}

/** How much a level trembles from one reading to the next, as a variance a ms: by three quarters of its readings, so that no burst counts. */
export function tremblingOf(samples: readonly FillSample[]): number {
  const steps = toSteps(samples);
  const apart = steps
    .slice(1)
    .map((step, i) => difference(steps[i] ?? step, step))
    .sort((a, b) => a - b);
  // Three quarters of the squares of a normal deviate are below 1.323 of their mean.
  return (apart[Math.floor(apart.length * 0.75)] ?? 0) / 1.323;
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

/** Nothing came before, or as long a pause: a rate that grew out of a slower one may go on growing. */
function isAfterPause(before: readonly Step[], { perMs, spanMs }: EarlyRate): boolean {
  const part: Step[] = [];
  let ms = 0;
  // The first of them may have been cut by the beginning of the fill.
  for (let i = before.length - 2; i >= 0 && ms < spanMs; i -= 1) {
    const step = before[i];
    if (step === undefined) break;
    part.push(step);
    ms += step.ms;
  }
  return part.length === 0 || Math.abs(rateOf(part)) <= PAUSE * perMs;
}

function isBent(steps: readonly Step[], { perMs, spanMs, drift }: EarlyRate, room: number): boolean {
  if (successive(steps) > SMOOTH * drift) return false;
  const middle = Math.ceil(steps.length / 2);
  const change = Math.abs(rateOf(steps.slice(middle)) - rateOf(steps.slice(0, middle)));
  const leftMs = room / perMs;
  return change * (leftMs / (spanMs / 2)) > BENT * perMs;
}

function isChanged(steps: readonly Step[], { perMs, drift }: EarlyRate): boolean {
  const usual = Math.min(drift, successive(steps));
  for (let count = 2; count <= steps.length / 2; count = Math.ceil(count * 1.4)) {
    const newest = steps.slice(-count);
    const ms = newest.reduce((sum, step) => sum + step.ms, 0);
    const change = Math.abs(rateOf(newest) - perMs);
    if (change > CHANGED_SHARE * perMs && change > CHANGED_ERRORS * Math.sqrt(usual / ms)) return true;
  }
  return false;
}
