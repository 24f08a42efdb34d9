import type { FillTrace } from "./fill-traces.js";

/** A rate keeps within this share of the rate that fills the pool at the true time. */
const WITHIN = 0.1;
/** It is looked at over this share of the true time to full before a reading, within these bounds, and over as many parts after it. */
const BACK_SHARE = 0.25;
const BACK_MIN_MS = 2_000;
const BACK_MAX_MS = 240_000;
const PARTS_AHEAD = 4;
/** And the time before holds so many readings, so that there is something to see. */
const BACK_READINGS = 5;

/**
 * Which readings of a trace are steady, by what is true of it and whatever a forecaster makes of it: from a while before
 * a reading (a quarter of the time to full, 2 s to 4 min, five readings at least) until then, and in each quarter of the
 * time from then until the pool is full, the true level grows at the mean rate that fills it at the true time, give or
 * take a tenth. None where the pool never fills.
 */
export function steadyReadings({ points, fullAtMs }: FillTrace): readonly boolean[] {
  if (fullAtMs === null) return points.map(() => false);
  const truth = [...points.map(({ atMs, level }) => ({ atMs, level })), { atMs: fullAtMs, level: 1 }];
  const levelAt = (ms: number): number => {
    let [low, high] = [0, truth.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((truth[middle]?.atMs ?? 0) <= ms) low = middle;
      else high = middle;
    }
    const [before, after] = [truth[low], truth[high]];
    if (before === undefined || after === undefined || after.atMs <= before.atMs) return 1;
    return before.level + ((after.level - before.level) * (ms - before.atMs)) / (after.atMs - before.atMs);
  };
  return points.map(({ atMs, level }, i) => {
    const leftMs = fullAtMs - atMs;
    const fifth = points[i - BACK_READINGS]?.atMs;
    if (leftMs <= 0 || fifth === undefined) return false;
    const backMs = Math.max(BACK_MIN_MS, Math.min(BACK_MAX_MS, leftMs * BACK_SHARE), atMs - fifth);
    // Where less is known of it, what there is.
    const fromMs = Math.max(points[0]?.atMs ?? 0, atMs - backMs);
    const rate = (1 - level) / leftMs;
    const rates = [(level - levelAt(fromMs)) / (atMs - fromMs)];
    for (let part = 0; part < PARTS_AHEAD; part += 1) {
      const ms = atMs + (leftMs * part) / PARTS_AHEAD;
      const partMs = leftMs / PARTS_AHEAD;
      rates.push((levelAt(ms + partMs) - levelAt(ms)) / partMs);
    }
    return rates.every((each) => Math.abs(each - rate) <= WITHIN * rate);
  });
}
