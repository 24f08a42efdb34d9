/** Rounds in a row with next to no yield before a pool counts as ineffective. */
const INEFFECTIVE_AFTER = 2;
const INEFFECTIVE_FIRST_MS = 60_000;
const INEFFECTIVE_MAX_MS = 30 * 60_000;
const FAILED_FIRST_MS = 5_000;
const FAILED_MAX_MS = 60_000;
/** Less than this share of what was wanted is next to nothing. */
const NEXT_TO_NOTHING = 0.01;
/** Growth by more than this share of the capacity is news: what couldn't be freed before may be freed now. */
const NEWS = 0.01;

/** What a pool's last rounds came to. Times are monotonic milliseconds. */
export interface BackOff {
  /** Rounds in a row that freed next to nothing. */
  readonly ineffectiveRounds: number;
  /** Rounds in a row that failed. */
  readonly failedRounds: number;
  /** No round before this. */
  readonly notBeforeMs: number;
  /** Bytes in use after the last round: growth beyond it ends the waiting. */
  readonly usedBytes: number;
}

/** A pool that has had no round yet. */
export const NO_BACK_OFF: BackOff = { ineffectiveRounds: 0, failedRounds: 0, notBeforeMs: 0, usedBytes: 0 };

/** How a round ended, as far as the next one depends on it. */
export interface RoundResult {
  readonly wantedBytes: number;
  readonly freedBytes: number;
  readonly usedBytesAfter: number;
  readonly failed: boolean;
  readonly endedAtMs: number;
}

/**
 * The waiting after a round. Two rounds with next to no yield: 1 min, doubling to 30 min. A failure (an engine that
 * is away) says nothing about the yield: it is tried again after 5 s, doubling to 1 min. A round that freed something ends all waiting.
 */
export function afterRound(before: BackOff, round: RoundResult): BackOff {
  const { endedAtMs, usedBytesAfter: usedBytes } = round;
  if (round.failed && round.freedBytes === 0) {
    const failedRounds = before.failedRounds + 1;
    const waitMs = doubled(FAILED_FIRST_MS, failedRounds, FAILED_MAX_MS);
    return { ...before, failedRounds, notBeforeMs: endedAtMs + waitMs, usedBytes };
  }
  if (!isNextToNothing(round.freedBytes, round.wantedBytes)) return { ...NO_BACK_OFF, usedBytes };
  const ineffectiveRounds = before.ineffectiveRounds + 1;
  const late = ineffectiveRounds - INEFFECTIVE_AFTER + 1;
  const waitMs = late < 1 ? 0 : doubled(INEFFECTIVE_FIRST_MS, late, INEFFECTIVE_MAX_MS);
  return { ineffectiveRounds, failedRounds: 0, notBeforeMs: endedAtMs + waitMs, usedBytes };
}

/** The waiting in the light of a new reading: over as soon as the pool is calm, or has grown noticeably. */
export function afterReading(
  before: BackOff,
  reading: { readonly usedBytes: number; readonly capacityBytes: number; readonly calm: boolean },
): BackOff {
  const news = reading.usedBytes - before.usedBytes > NEWS * reading.capacityBytes;
  return reading.calm || (news && before.failedRounds === 0) ? NO_BACK_OFF : before;
}

/** Whether a round must wait. */
export function isBackingOff({ notBeforeMs }: BackOff, monotonicMs: number): boolean {
  return monotonicMs < notBeforeMs;
}

/** Whether what was freed is next to nothing of what was wanted. */
export function isNextToNothing(freedBytes: number, wantedBytes: number): boolean {
  return freedBytes <= 0 || freedBytes < wantedBytes * NEXT_TO_NOTHING;
}

function doubled(firstMs: number, nth: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(nth - 1, 30));
}
