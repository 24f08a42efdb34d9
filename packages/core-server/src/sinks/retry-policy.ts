import type { SinkErrorCode } from "./sink-error.js";

const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
/** A receiver that asks for more patience than this doesn't get it: people wait. */
const LONGEST_ASKED_MS = 10 * 60_000;
/** What is older is no news any more. */
export const MAX_AGE_MS = 3_600_000;

/** A delivery that failed. */
export interface FailedAttempt {
  /** Which attempt of the message it was, from 1. */
  readonly attempt: number;
  /** Since when the message waits, in ms. */
  readonly ageMs: number;
  readonly code: SinkErrorCode;
  /** What the receiver asked for; null when it didn't. */
  readonly retryAfterMs: number | null;
  /** From 0 up to 1: spreads the attempts of many cores. */
  readonly random: number;
}

/** How long to wait before the next attempt, in ms: 1 s, doubling to 5 min, less up to a half; null to give up. */
export function nextAttemptMs({ attempt, ageMs, code, retryAfterMs, random }: FailedAttempt): number | null {
  if (code === "refused" || code === "aborted") return null;
  const doubledMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 30));
  const backOffMs = Math.round(doubledMs * (1 - random / 2));
  const waitMs = Math.max(backOffMs, Math.min(retryAfterMs ?? 0, LONGEST_ASKED_MS));
  return ageMs + waitMs > MAX_AGE_MS ? null : waitMs;
}
