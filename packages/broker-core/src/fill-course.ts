import type { FillSample } from "./forecast-fill.js";
import { sinceLastFall } from "./since-last-fall.js";

/** A fall that is so many times as steep as the rise after it is a relief: what came before is how the pool fills, too. */
const STEEP = 3;
/** Falls of less than this share of what is left are part of how a pool fills. */
const SMALL_TEETH = 0.1;
/** What has fallen twice will fall again, unless it has risen by so many times as much as ever before. */
const HIGHER = 1.25;

/** Readings as far as they tell how a pool fills. */
export interface FillCourse {
  readonly samples: readonly FillSample[];
  /** The index from which on it fills as it does now. */
  readonly start: number;
  /** Whether it fell twice and hasn't yet risen by more than it rose before a fall. */
  readonly isTooth: boolean;
}

/** The course of a pool with its falls: one is a relief and is taken out, small ones stay, large ones begin it anew. */
export function fillCourse(samples: readonly FillSample[], room: number): FillCourse {
  const { start, falls } = sinceLastFall(samples);
  const level = (i: number): number => samples[i]?.pressure ?? 0;
  const ms = (i: number): number => samples[i]?.monotonicMs ?? 0;
  const newest = samples.length - 1;
  const [fall, another] = falls;
  if (fall === undefined) return { samples, start, isTooth: false };
  if (another !== undefined) {
    const isSmall = falls.every(({ peakAt, lowAt }) => level(peakAt) - level(lowAt) <= SMALL_TEETH * room);
    if (isSmall) return { samples, start: 0, isTooth: false };
    const rises = falls.map(({ peakAt }, i) => level(peakAt) - level(falls[i - 1]?.lowAt ?? 0));
    const isTooth = level(newest) - level(start) <= HIGHER * Math.max(...rises);
    return { samples: samples.slice(start), start: 0, isTooth };
  }
  const { peakAt, lowAt } = fall;
  const depth = level(peakAt) - level(lowAt);
  const fell = depth / (ms(lowAt) - ms(peakAt));
  const rose = (level(newest) - level(lowAt)) / (ms(newest) - ms(lowAt));
  if (start !== lowAt || fell < STEEP * rose) return { samples, start, isTooth: false };
  const before = samples
    .slice(0, peakAt)
    .map(({ monotonicMs, pressure }) => ({ monotonicMs, pressure: pressure - depth }));
  return { samples: [...before, ...samples.slice(lowAt)], start: peakAt, isTooth: false };
}
