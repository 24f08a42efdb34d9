import type { PoolPolicy } from "./pool-policy.js";

/** Rounds of one relief at most: a pool that isn't calm by then is looked at anew. */
const MAX_ROUNDS = 16;

/** Where a pool's relief stands. Times are monotonic milliseconds. */
export interface ReliefProgress {
  /** Whether a relief has begun and isn't over: it goes on below the start threshold, down to the stop threshold. */
  readonly isRelieving: boolean;
  /** Rounds of this relief, or of the last one. */
  readonly rounds: number;
  /** What they freed, measured. */
  readonly freedBytes: number;
  /** No new relief begins before this, unless the pool is critical. */
  readonly coolUntilMs: number;
}

/** A pool that was never relieved. */
export const NO_RELIEF: ReliefProgress = { isRelieving: false, rounds: 0, freedBytes: 0, coolUntilMs: 0 };

/** How a round ended, as far as the relief depends on it. */
export interface RoundEnd {
  readonly freedBytes: number;
  /** Whether it freed next to nothing of what was wanted, failed, or only said what it would do. */
  readonly isFruitless: boolean;
  /** The pressure after it; null when it couldn't be measured. */
  readonly pressureAfter: number | null;
  readonly endedAtMs: number;
}

/**
 * After a round: the relief goes on while it is of use and the pool is above the stop threshold. One that is over and
 * has freed something is followed by the cooldown.
 */
export function afterReliefRound(
  before: ReliefProgress,
  { freedBytes, isFruitless, pressureAfter, endedAtMs }: RoundEnd,
  { stopBelow, cooldownMs }: PoolPolicy,
): ReliefProgress {
  const rounds = (before.isRelieving ? before.rounds : 0) + 1;
  const freed = (before.isRelieving ? before.freedBytes : 0) + freedBytes;
  const isCalm = pressureAfter !== null && pressureAfter <= stopBelow;
  const isOver = isCalm || isFruitless || pressureAfter === null || rounds >= MAX_ROUNDS;
  const coolUntilMs = isCalm && freed > 0 ? endedAtMs + cooldownMs : before.coolUntilMs;
  return { isRelieving: !isOver, rounds, freedBytes: freed, coolUntilMs };
}

/** After a reading: a relief is over once the pool is calm, whoever brought it there. */
export function afterReliefReading(
  before: ReliefProgress,
  pressure: number,
  { stopBelow }: PoolPolicy,
): ReliefProgress {
  return before.isRelieving && pressure <= stopBelow ? { ...before, isRelieving: false } : before;
}
