/** A line of an image's history, from the base up. */
export interface TimedLine {
  /** Unix milliseconds; null when unknown. */
  readonly createdAtMs: number | null;
}

/** Between two steps of one build there isn't more; what lies further back came from a cache, or is the base's. */
const MAX_STEP_MS = 30 * 60_000;

/**
 * How long the last steps took that made an image, from the times in its history: from each step to the one before, as
 * long as they belong to one build. Null where there aren't two, or where the times say nothing (reproducible builds
 * write the same for all).
 */
export function toBuildMs(history: readonly TimedLine[]): number | null {
  let buildMs = 0;
  for (let i = history.length - 1; i > 0; i--) {
    const endMs = history[i]?.createdAtMs ?? null;
    const startMs = history[i - 1]?.createdAtMs ?? null;
    if (endMs === null || startMs === null) break;
    const tookMs = endMs - startMs;
    if (tookMs < 0 || tookMs > MAX_STEP_MS) break;
    buildMs += tookMs;
  }
  return buildMs === 0 ? null : buildMs;
}
