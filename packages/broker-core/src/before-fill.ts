import type { FillSample } from "./forecast-fill.js";
import { largestDip } from "./largest-dip.js";
import { quantile } from "./quantile.js";
import { toLevels } from "./to-levels.js";

/** A time is looked at in so many levels. */
const LEVELS = 8;
const MOST_LEVELS = 256;
/** What was put together last may hold some of what came after. */
const APART = 1 / 3;
/** What is shorter than this share of the span says nothing of it. */
const LEAST = 0.25;

/** A level that moves by less than this share of a rise stood still. */
const STILL = 0.25;
/** One that moves by the same, give or take this share, went straight. */
const STRAIGHT = 0.3;

/** Its rate grows or shrinks by and by where it was another by no more than this share. */
const GRADUAL = { least: 0.1, most: 0.35 };

/** What a level did before it began to rise as it does: nothing, rose evenly, at nearly its rate of now, or anything else. */
export type Before = "still" | "even" | "gradual" | "restless";

/**
 * What came before a rise that has lasted for `spanMs`, by how far the level moved in every other span as long as that:
 * what rose or fell like that before may end again as it did then.
 */
export function beforeFill(samples: readonly FillSample[], spanMs: number, rise: number): Before {
  const sinceMs = (samples.at(-1)?.monotonicMs ?? 0) - spanMs;
  const since = samples.findIndex(({ monotonicMs }) => monotonicMs >= sinceMs);
  const before = samples.slice(0, since);
  const beforeMs = (before.at(-1)?.monotonicMs ?? 0) - (before[0]?.monotonicMs ?? 0);
  const count = Math.min(MOST_LEVELS, Math.ceil((beforeMs / spanMs) * LEVELS));
  const levels = toLevels(before, 0, Math.max(2, count));
  if (largestDip(levels).depth > STILL * rise) return "restless";
  const moves = movesOf(
    levels.filter(({ monotonicMs }) => monotonicMs <= sinceMs - APART * spanMs),
    spanMs,
  );
  if (moves.every((move) => move <= STILL * rise)) return "still";
  const usual = quantile(moves, 0.5);
  if (!moves.every((move) => Math.abs(move - usual) <= STRAIGHT * usual)) return "restless";
  const change = Math.abs(usual - rise) / rise;
  return change > GRADUAL.least && change < GRADUAL.most ? "gradual" : "even";
}

/** By how much levels rose over every span of `spanMs`; where they are fewer, by how much they would have. */
function movesOf(levels: readonly FillSample[], spanMs: number): readonly number[] {
  const moves: number[] = [];
  let before = 0;
  for (const [i, { monotonicMs, pressure }] of levels.entries()) {
    while (monotonicMs - (levels[before + 1]?.monotonicMs ?? Infinity) >= spanMs) before += 1;
    const start = levels[before];
    const ms = monotonicMs - (start?.monotonicMs ?? monotonicMs);
    const isEnough = ms >= spanMs || (i === levels.length - 1 && ms >= LEAST * spanMs);
    if (start !== undefined && isEnough) moves.push(((pressure - start.pressure) * spanMs) / ms);
  }
  return moves;
}
