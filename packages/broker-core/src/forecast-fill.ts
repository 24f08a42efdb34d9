import { beforeFill } from "./before-fill.js";
import { type EarlyRate, earlyRates, tremblingOf } from "./early-rate.js";
import { fillCourse } from "./fill-course.js";
import { largestDip } from "./largest-dip.js";
import { fitLine, growthError, type LineFit } from "./line-fit.js";
import { grainOf, swingOf } from "./swing.js";
import { toLevels } from "./to-levels.js";
import { isUnlikeWave } from "./unlike-wave.js";
import { withoutBurst } from "./without-burst.js";

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

/** A forecast is made where so many standard errors of it are below this share of the time to full. */
const MAX_ERROR = 0.15;
const STANDARD_ERRORS = 2.3;
/** Less where few levels stand for many readings: what they were put together of is not seen. */
const MAX_ERROR_OF_LEVELS = 0.12;
/** A line rests on so many levels over so long a time, at least. */
const MIN_LEVELS = 16;
const MIN_SPAN_MS = 10_000;
/** A change below this share of the capacity is none. */
const FLAT = 0.001;
/** Each time that is looked at is so much shorter than the one before, down to so many levels. */
const SHORTER = 0.75;
const MIN_PART_LEVELS = 5;
/** The rate has changed where a recent part differs from the whole by this share, and by so many standard errors. */
const CHANGED_SHARE = 0.05;
const CHANGED_ERRORS = 2;
/** What was watched for this share of the time that is forecast needn't be told from a wave: that would have turned. */
const WATCHED = 0.5;
/** Nobody knows what comes later than so many times what was watched, nor than a third as many times as there are readings. */
const FARTHEST = 16;
const READINGS_AHEAD = 3;
/** But so many steps are enough for any time, where they are so alike that no bend is hidden in them. */
const ENOUGH_STEPS = 24;
/** A rate bends where it will be another by this share when the pool is full. */
const BENT = 0.05;
/** A parabola strays from its line by one so-manieth of what it bends in the same time. */
const BEND_AHEAD = Math.sqrt(180);
/** What trembles is put together to so many levels, of so long a time at most. */
const EARLY_LEVELS = 12;
const EARLY_MS = 240_000;
/** Lumps are remembered for so many times the time that the rate rests on. */
const MEMORY = 3;

const SILENT = { perMs: null, timeToFullMs: null } as const;

/**
 * When a pool will be full, from its readings of the last hour, oldest first.
 *
 * A fill is taken for steady growth, lumps that add up over time, and a level that trembles (a Wiener process with drift
 * under measurement noise). A line is laid through the time since the last relief and through ever shorter parts of it
 * that end now; the longest counts whose own recent parts went at its rate, and whose error, of the rate so far and of
 * what the lumps may still do, is expected to be small. Where none does, few readings are enough that are so alike that no
 * level which wanders about would show them. Silent otherwise: where the rate bends, where what is seen could be the rise
 * of a wave, and where the pool rose like that before and then didn't go on.
 */
export function forecastFill(samples: readonly FillSample[]): FillForecast {
  const last = samples.at(-1);
  if (last === undefined) return { basis: "tooShort", ...SILENT };
  const room = Math.max(0, 1 - last.pressure);
  const course = fillCourse(samples, room);
  const tail = withoutBurst(course.samples.slice(course.start));
  const whole = [...course.samples.slice(0, course.start), ...tail];
  const fits = fitAll(tail);
  const watched = fits.filter(({ levels, spanMs }) => levels >= MIN_LEVELS && spanMs >= MIN_SPAN_MS);
  const outlook = { room, dip: largestDip(tail).depth, samples: tail, whole };
  const steady = watched.find((fit) => isSteady(fit, fits, outlook));
  if (steady !== undefined && steady.perMs < 0)
    return { basis: "draining", perMs: steady.perMs, timeToFullMs: null };
  const rate = steady ?? earlyRate(samples, outlook);
  if (rate !== undefined && !course.isTooth) {
    const left = steady === undefined ? room : Math.max(0, 1 - levelOf(steady, last));
    return { basis: "steady", perMs: rate.perMs, timeToFullMs: left / rate.perMs };
  }
  if (rate === undefined && watched.length === 0) return { basis: "tooShort", ...SILENT };
  return { basis: rate === undefined && isFlat(tail) ? "flat" : "noisy", ...SILENT };
}

/** What a rate is held against. */
interface Outlook {
  /** How far the pressure is from 1. */
  readonly room: number;
  readonly samples: readonly FillSample[];
  /** How far it fell back. */
  readonly dip: number;
  /** Since before the last relief. */
  readonly whole: readonly FillSample[];
}

/** Lines through the whole time and through ever shorter parts of it that end now. */
function fitAll(samples: readonly FillSample[]): readonly LineFit[] {
  const last = samples.at(-1);
  const fits: LineFit[] = [];
  let from = 0;
  while (last !== undefined && from !== -1) {
    const first = samples[from];
    const fit = fitLine(samples, from, MIN_PART_LEVELS);
    if (first === undefined || fit === null) break;
    fits.push(fit);
    const sinceMs = last.monotonicMs - (last.monotonicMs - first.monotonicMs) * SHORTER;
    const longer = from;
    from = samples.findIndex(({ monotonicMs }, i) => i > longer && monotonicMs >= sinceMs);
  }
  return fits;
}

function isSteady(fit: LineFit, fits: readonly LineFit[], outlook: Outlook): boolean {
  const { room, whole, samples, dip } = outlook;
  const { perMs, spanMs, readings, trembling } = fit;
  if (Math.abs(perMs) * spanMs < FLAT) return false;
  const leftMs = perMs > 0 ? room / perMs : spanMs;
  const error = forecastError(fit, fits, leftMs);
  if (error > MAX_ERROR || isChanged(fit, fits)) return false;
  if (perMs < 0) return true;
  const ahead = leftMs / spanMs;
  return (
    ahead <= Math.min(FARTHEST, readings / READINGS_AHEAD) &&
    (ahead * WATCHED <= 1 || isUnlikeWave(perMs * spanMs, trembling / readings)) &&
    Math.hypot(error, swingOf(samples, dip, perMs, trembling) / room) <= MAX_ERROR &&
    fit.bend * BEND_AHEAD * (1 + ahead) ** 2 <= BENT &&
    beforeFill(whole, spanMs, perMs * spanMs) !== "restless"
  );
}

/** The error to be expected of a time to full, as a share of it: of the rate so far, and of what the fill does from now on. */
function forecastError(fit: LineFit, fits: readonly LineFit[], leftMs: number): number {
  const { perMs, spanMs, readings, noise, trembling } = fit;
  // Rare lumps may be missing from a part of the time: then they are looked for in longer ones.
  const remembered = fits.filter((each) => each.spanMs >= spanMs && each.spanMs <= MEMORY * spanMs);
  const [longest = fit] = remembered;
  const lumps = fit === fits[0] ? 0 : longest.lumps;
  const drift = Math.max(lumps, ...remembered.map((each) => each.drift));
  const rate = growthError({ spanMs, readings, drift, noise }) / Math.abs(perMs);
  const teeth = Math.max(0, noise - trembling);
  const strays = Math.sqrt(drift * leftMs + 2 * teeth + (4 * noise) / readings);
  return STANDARD_ERRORS * Math.hypot(rate, strays / Math.max(1e-12, Math.abs(perMs * leftMs)));
}

/** Whether a part of the time, up to now, went at another rate than the whole. */
function isChanged(whole: LineFit, fits: readonly LineFit[]): boolean {
  return fits.slice(fits.indexOf(whole) + 1).some(({ perMs, spanMs, readings, drift, noise }) => {
    const difference = Math.abs(perMs - whole.perMs);
    if (difference <= CHANGED_SHARE * Math.abs(whole.perMs)) return false;
    // How rough a fill is depends on how closely one looks.
    const errors = [
      growthError({ spanMs, readings, drift, noise }),
      growthError({ spanMs, readings, drift: whole.drift, noise: whole.noise }),
    ];
    return difference > CHANGED_ERRORS * Math.max(...errors);
  });
}

/** Where a pool is: at its line as far as readings tremble about it, at the newest reading as far as it wanders. */
function levelOf({ level, trembling, drift, readings, spanMs }: LineFit, last: FillSample): number {
  const wandered = (drift * spanMs) / Math.sqrt(readings);
  const share = trembling > 0 ? trembling / (trembling + wandered) : 0;
  return share * level + (1 - share) * last.pressure;
}

/** The rate that few readings show, or readings that are put together: a level that trembles is straighter so. */
function earlyRate(samples: readonly FillSample[], outlook: Outlook): EarlyRate | undefined {
  const { samples: tail, dip } = outlook;
  const grain = grainOf(outlook.whole);
  const soon = earlyRates(tail, tremblingOf(samples)).find((rate) => isSure(rate, outlook, grain, MAX_ERROR));
  const spanMs = (tail.at(-1)?.monotonicMs ?? 0) - (tail[0]?.monotonicMs ?? 0);
  // In a longer time a fill could have ended within one level.
  if (soon !== undefined || tail.length < 2 * EARLY_LEVELS || spanMs > EARLY_MS) return soon;
  const levels = toLevels(tail, 0, EARLY_LEVELS);
  return earlyRates(levels, tremblingOf(levels)).find((rate) =>
    isSure(rate, outlook, swingOf(tail, dip, rate.perMs, 0), MAX_ERROR_OF_LEVELS),
  );
}

/** Whether the error of a rate seen for a short time, and of what it does from now on, is expected to be small. */
function isSure(rate: EarlyRate, { room, whole }: Outlook, swing: number, maxError: number): boolean {
  const { perMs, spanMs, drift, steps, noise } = rate;
  const leftMs = room / perMs;
  const ahead = leftMs / spanMs;
  const hidden = (Math.sqrt((3 * drift * steps) / spanMs) / perMs) * (1 + ahead) ** 2;
  // Student's factor, nearly: a variance that few steps show is uncertain itself.
  const errors = STANDARD_ERRORS + 3 / (steps - 1);
  const error = (errors * Math.sqrt(drift * (1 / spanMs + 1 / leftMs))) / perMs;
  return (
    perMs * spanMs >= FLAT &&
    (ahead <= steps / READINGS_AHEAD || (steps >= ENOUGH_STEPS && hidden <= BENT)) &&
    (ahead * WATCHED <= 1 || isUnlikeWave(perMs * spanMs, noise / steps)) &&
    Math.hypot(error, swing / room) <= maxError &&
    // A rate that grew out of a slower one may go on growing.
    ["still", "even"].includes(beforeFill(whole, spanMs, perMs * spanMs))
  );
}

function isFlat(samples: readonly FillSample[]): boolean {
  const pressures = samples.map(({ pressure }) => pressure);
  return Math.max(...pressures) - Math.min(...pressures) < FLAT;
}
