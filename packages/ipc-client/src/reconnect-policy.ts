import type { ConnectionErrorCode } from "./connection-error.js";

/** What a decision to connect again rests on. */
export interface ReconnectState {
  /** Failed attempts in a row, at least 1. */
  readonly attempt: number;
  /** How long the one that waits has waited, in ms. */
  readonly elapsedMs: number;
  /** How the last attempt failed. */
  readonly error: ConnectionErrorCode;
  /** Whether this client was ever connected. */
  readonly everConnected: boolean;
}

/** Delays in ms. */
export interface ReconnectLimits {
  /** How long one that waits is kept waiting for the core. */
  readonly reconnectForMs: number;
  /** The delay before the second attempt; it doubles with each one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** Connect again after `delayMs`, or give up. */
export type ReconnectDecision =
  { readonly kind: "retry"; readonly delayMs: number } | { readonly kind: "stop" };

/** Delays from 10 ms, doubling to half a second: a restarted core is found within that. */
export const DEFAULT_RECONNECT_LIMITS: ReconnectLimits = {
  reconnectForMs: 10_000,
  firstDelayMs: 10,
  maxDelayMs: 500,
};

/**
 * Decides whether one that waits for the core goes on waiting. A core that was never there, and one that may not be
 * reached, is an error at once; one that was there, or broke the connection off, is given time to come back. `jitter` is a random number of [0, 1):
 * many clients of one core don't come back in step.
 */
export function decideReconnect(
  { attempt, elapsedMs, error, everConnected }: ReconnectState,
  { reconnectForMs, firstDelayMs, maxDelayMs }: ReconnectLimits,
  jitter: number,
): ReconnectDecision {
  const isThere = everConnected || error === "closed";
  if (!isThere || error === "denied" || elapsedMs >= reconnectForMs) return { kind: "stop" };
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 30));
  // The last attempt is made when the time is up, not after it.
  return { kind: "retry", delayMs: Math.min(delayMs * (0.5 + jitter / 2), reconnectForMs - elapsedMs) };
}
