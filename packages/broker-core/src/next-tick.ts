/** The shortest tick, in ms. */
export const MIN_TICK_MS = 250;
/** So many readings are to come before a pool could be full. */
const READINGS_BEFORE_FULL = 20;

/** What the next tick depends on. */
export interface TickState {
  /** The tick when all is calm, in ms; never exceeded. */
  readonly tickMs: number;
  /** The shortest time in which a pool that is under management could be full, in ms; Infinity when none grows. */
  readonly timeToFullMs: number;
  /** Whether a relief has begun whose next round could start now. */
  readonly isRelieving: boolean;
}

/**
 * How long until the next round, in whole ms: slow when calm, the shorter the sooner a pool could be full, and the
 * shortest between the rounds of a relief. The tick that was configured is the slow one: nobody's figures are ever older
 * than that. Never longer than `tickMs`, nor shorter than 250 ms unless `tickMs` is.
 */
export function nextTickMs({ tickMs, timeToFullMs, isRelieving }: TickState): number {
  const shortest = Math.min(MIN_TICK_MS, tickMs);
  if (isRelieving) return shortest;
  return Math.round(Math.min(tickMs, Math.max(shortest, timeToFullMs / READINGS_BEFORE_FULL)));
}
