import type { PressureAlert } from "@continuum/wire-types";
import type { ReliefDecision } from "./decide-relief.js";
import type { EvictedItem, PoolReading } from "./resource-pool.js";

/** How one eviction ended. Freed bytes are measured; what the pool claimed stands beside them. */
export interface ReliefOutcome {
  readonly pool: string;
  readonly wantBytes: number;
  readonly claimedBytes: number;
  /** The reading before minus the reading after, at least 0; 0 when either is missing. */
  readonly freedBytes: number;
  /** Whether both readings could be had. */
  readonly measured: boolean;
  readonly before: PoolReading | null;
  readonly after: PoolReading | null;
  readonly deleted: readonly EvictedItem[];
  readonly wouldDelete: readonly EvictedItem[];
  /** Whether the pool was asked to evict at all; not without a measurement before. */
  readonly attempted: boolean;
  /** Whether the measurement before showed that nothing was to be done any more: no round at all, then. */
  readonly superfluous: boolean;
  /** Whether the pool only said what it would do: such a round counts as no eviction. */
  readonly dryRun: boolean;
  /** Why less than wanted was freed; null when it was reached. */
  readonly shortfall: string | null;
  /** What failed; null when nothing did. */
  readonly error: Error | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The raw alert of this round. */
  readonly alert: PressureAlert;
}

/** One round: what was decided for each pool, and the evictions that it started. */
export interface ReliefRound {
  readonly decisions: readonly ReliefDecision[];
  /** Resolves when every eviction of this round has ended; never rejects. */
  readonly done: Promise<readonly ReliefOutcome[]>;
}

/** Hears every round's alert with what stands behind it. A throw, a rejection or a hang delays nothing. */
export type AlertSink = (alert: PressureAlert, outcome: ReliefOutcome) => void | Promise<void>;
