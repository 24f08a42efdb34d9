import type { PressureHistoryPoint } from "@continuum/wire-types";

/**
 * The levels of equal spans of time, at most `width` of them and no more than there are points: the mean of the points in
 * each, and where nothing was read the level before it.
 */
export function toColumns(points: readonly PressureHistoryPoint[], width: number): number[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [];
  const count = Math.min(width, points.length);
  const spanMs = Math.max(1, last.atMs - first.atMs);
  const sums = Array.from({ length: count }, () => ({ sum: 0, samples: 0 }));
  for (const { atMs, pressure, samples } of points) {
    const column = sums[Math.min(count - 1, Math.floor(((atMs - first.atMs) / spanMs) * count))];
    if (column === undefined) continue;
    column.sum += pressure * samples;
    column.samples += samples;
  }
  let level = first.pressure;
  return sums.map(({ sum, samples }) => (level = samples === 0 ? level : sum / samples));
}
