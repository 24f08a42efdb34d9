import { type EarlyRate, earlyRates, tremblingOf } from "./early-rate.js";
import { largestDip } from "./largest-dip.js";
import { fitLine, growthError, type LineFit } from "./line-fit.js";
import { quantile } from "./quantile.js";
import { sinceLastFall } from "./since-last-fall.js";
import { toLevels } from "./to-levels.js";
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

/** A forecast is made where its error is expected to be below this share of the time to full, in 95 of 100 cases. */
const MAX_ERROR = 0.16;
/** Less where few levels stand for many readings: what they were put together of is not seen. */
const MAX_ERROR_OF_LEVELS = 0.12;
const STANDARD_ERRORS = 2;
/** A rate rests on so many levels over so long a time, at least. */
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
/** Watched for a share of the time that is forecast, or for minutes: that tells a fill from the rise of a wave. */
const WATCHED = { share: 0.5, ms: 240_000 };
/** Longer where it fell back once and isn't higher yet. */
const WATCHED_BELOW_PEAK = { share: 0.5, ms: 240_000 };
/** And nobody knows what comes later than so many times what was watched. */
const FARTHEST = 32;
/** Where every step is like the other, this is farther. */
const FARTHEST_EARLY = 240;
/** What trembles is put together to so many levels. */
const EARLY_LEVELS = 12;
/** Lumps are remembered for so many times the time that the rate rests on. */
const MEMORY = 3;

/** Single steps are looked at in so many readings. */
const LATE = 64;
const LUMPS = 1.3;
/** A level that is so many times a fall above it has left it behind. */
const TURNED = 2;

const SILENT = { perMs: null, timeToFullMs: null } as const;

/**
 * When a pool will be full, from its readings of the last half hour, oldest first.
 *
 * A fill is taken for steady growth, lumps that add up over time, and a level that trembles (a Wiener process with drift
 * under measurement noise). A line is laid through the time since the last relief and through ever shorter parts of it
 * that end now; the longest counts whose own recent parts went at its rate, and whose error, of the rate so far and of
 * what the lumps may still do, is expected to be small. Where none does, a few readings are enough that no level which
 * wanders about would show. Silent otherwise, and where a pool fell back twice and isn't above its earlier peaks.
 */
export function forecastFill(samples: readonly FillSample[]): FillForecast {
  const last = samples.at(-1);
  if (last === undefined) return { basis: "tooShort", ...SILENT };
  const { start, peaks, margin } = sinceLastFall(samples);
  const tail = withoutBurst(samples.slice(start));
  const fits = fitAll(tail);
  const watched = fits.filter(({ levels, spanMs }) => levels >= MIN_LEVELS && spanMs >= MIN_SPAN_MS);
  const room = Math.max(0, 1 - last.pressure);
  const isBelowPeak = last.pressure <= Math.max(...peaks) + margin;
  const watch = isBelowPeak ? WATCHED_BELOW_PEAK : WATCHED;
  const outlook = { room, watch, dip: largestDip(tail).depth, samples: tail };
  const steady = watched.find((fit) => isSteady(fit, fits, outlook));
  if (steady === undefined) {
    const early = hasTurned(samples)
      ? undefined
      : (earlyRates(tail, tremblingOf(samples)).find((rate) => isSure(rate, room)) ??
        earlyOfLevels(tail).find((rate) =>
          isSure(rate, room, swingOf(outlook, rate.perMs), MAX_ERROR_OF_LEVELS),
        ));
    if (early !== undefined) return { basis: "steady", perMs: early.perMs, timeToFullMs: room / early.perMs };
    if (watched.length === 0) return { basis: "tooShort", ...SILENT };
    return { basis: isFlat(tail) ? "flat" : "noisy", ...SILENT };
  }
  const { perMs } = steady;
  if (perMs < 0) return { basis: "draining", perMs, timeToFullMs: null };
  // One that has fallen back twice will do so again, until it is higher than ever.
  if (peaks.length >= 2 && isBelowPeak) return { basis: "noisy", ...SILENT };
  return { basis: "steady", perMs, timeToFullMs: room / perMs };
}

/**
 * As the early rates, of readings that are put together: a level that trembles is straighter so. Of what has been seen for
 * minutes only: in a longer time a fill could have ended within one level.
 */
function earlyOfLevels(samples: readonly FillSample[]): readonly EarlyRate[] {
  const spanMs = (samples.at(-1)?.monotonicMs ?? 0) - (samples[0]?.monotonicMs ?? 0);
  if (samples.length < 2 * EARLY_LEVELS || spanMs > WATCHED.ms) return [];
  const levels = toLevels(samples, 0, EARLY_LEVELS);
  return earlyRates(levels, tremblingOf(levels));
}

/** Whether a level fell back and isn't far above that yet: it may do so again. */
function hasTurned(samples: readonly FillSample[]): boolean {
  const { depth, peak } = largestDip(samples);
  return depth > 0 && (samples.at(-1)?.pressure ?? 0) <= peak + TURNED * depth;
}

/** Whether the error of a rate seen for a short time, and of what it does from now on, is expected to be small. */
function isSure(
  { perMs, spanMs, drift, steps }: EarlyRate,
  room: number,
  swing = 0,
  maxError = MAX_ERROR,
): boolean {
  const leftMs = room / perMs;
  // Student's factor, nearly: a variance that few steps show is uncertain itself.
  const errors = STANDARD_ERRORS + 3 / (steps - 1);
  return (
    perMs * spanMs >= FLAT &&
    leftMs <= FARTHEST_EARLY * spanMs &&
    Math.hypot((errors * Math.sqrt(drift * (1 / spanMs + 1 / leftMs))) / perMs, swing / room) <= maxError
  );
}

/** How far a level may be from where its line goes, whatever its rate: half a dip, or a lump and some. */
function swingOf({ dip, samples }: Outlook, perMs: number): number {
  return Math.max(dip / 2, LUMPS * lumpOf(samples, perMs));
}

/** How far single steps of late stray from a rate; all but a tenth of them. */
function lumpOf(samples: readonly FillSample[], perMs: number): number {
  const late = samples.slice(-LATE);
  const stray = late.slice(1).map(({ monotonicMs, pressure }, i) => {
    const before = late[i];
    if (before === undefined) return 0;
    return Math.abs(pressure - before.pressure - perMs * (monotonicMs - before.monotonicMs));
  });
  return quantile(stray, 0.9);
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

/** What a rate is held against. */
interface Outlook {
  /** How far the pressure is from 1. */
  readonly room: number;
  readonly samples: readonly FillSample[];
  /** How far it fell back. */
  readonly dip: number;
  readonly watch: { readonly share: number; readonly ms: number };
}

function isSteady(fit: LineFit, fits: readonly LineFit[], outlook: Outlook): boolean {
  const { room, watch } = outlook;
  const { perMs, spanMs } = fit;
  if (Math.abs(perMs) * spanMs < FLAT) return false;
  const leftMs = perMs > 0 ? room / perMs : spanMs;
  const enoughMs = Math.max(leftMs / FARTHEST, Math.min(watch.ms, watch.share * leftMs));
  if (perMs > 0 && spanMs < enoughMs) return false;
  const error = forecastError(fit, fits, leftMs);
  if (error > MAX_ERROR || isChanged(fit, fits)) return false;
  return perMs <= 0 || Math.hypot(error, swingOf(outlook, perMs) / room) <= MAX_ERROR;
}

/** The error to be expected of a time to full, as a share of it: of the rate so far, and of what the fill does from now on. */
function forecastError(fit: LineFit, fits: readonly LineFit[], leftMs: number): number {
  const { perMs, spanMs, readings, noise } = fit;
  // Rare lumps may be missing from a part of the time: then they are looked for in a longer one.
  const longer = fits.find((each) => each.spanMs <= MEMORY * spanMs) ?? fit;
  const drift = fit === fits[0] ? fit.drift : Math.max(fit.drift, longer.lumps);
  const rate = growthError({ spanMs, readings, drift, noise }) / Math.abs(perMs);
  const ahead = Math.sqrt(drift * leftMs + 2 * noise) / Math.max(1e-12, Math.abs(perMs * leftMs));
  return STANDARD_ERRORS * Math.hypot(rate, ahead);
}

/** Whether a part of the time, up to now, went at another rate than the whole. */
function isChanged(whole: LineFit, fits: readonly LineFit[]): boolean {
  const shorter = fits.slice(fits.indexOf(whole) + 1);
  return shorter.some(({ perMs, spanMs, readings }, i) => {
    const difference = Math.abs(perMs - whole.perMs);
    if (difference <= CHANGED_SHARE * Math.abs(whole.perMs)) return false;
    // How rough a fill is depends on how closely one looks.
    const errors = [whole, ...shorter.slice(0, i + 1)].map(({ drift, noise }) =>
      growthError({ spanMs, readings, drift, noise }),
    );
    return difference > CHANGED_ERRORS * Math.max(...errors);
  });
}

function isFlat(samples: readonly FillSample[]): boolean {
  const pressures = samples.map(({ pressure }) => pressure);
  return Math.max(...pressures) - Math.min(...pressures) < FLAT;
}
