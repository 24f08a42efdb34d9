import type { Clock } from "./clock.js";
import { wantedRelief, type WantedRelief } from "./decide-relief.js";
import { PoolError } from "./pool-error.js";
import type { PoolSlot } from "./pool-slot.js";
import { toBindingPressure, toPressureTier } from "./pressure.js";
import type { ReliefOutcome } from "./relief.js";
import type { EvictionResult, PoolReading } from "./resource-pool.js";

/** How long the measurement after an aborted eviction may take: a stop waits for it. */
const LAST_READ_DEADLINE_MS = 500;

/** What one eviction needs. */
export interface EvictionRun {
  readonly slot: PoolSlot;
  /** What was wanted by the reading that triggered it. */
  readonly wantBytes: number;
  /** The reading that triggered it: its pressure and severity are the alert's. */
  readonly trigger: PoolReading;
  readonly clock: Clock;
  /** After this the pool's signal aborts. */
  readonly deadlineMs: number;
}

/**
 * Runs one eviction between two readings; never rejects. It ends when the pool's `evict` has ended, however late:
 * a pool that ignores its signal must not get a second eviction beside the first.
 */
export async function runEviction({
  slot,
  wantBytes,
  trigger,
  clock,
  deadlineMs,
}: EvictionRun): Promise<ReliefOutcome> {
  const startedAtMs = clock.nowMs();
  const errors: Error[] = [];
  const attempt = async <T>(run: () => Promise<T>): Promise<T | null> => {
    try {
      return await run();
    } catch (error) {
      errors.push(toError(error));
      return null;
    }
  };
  // A fresh reading right before: what others write or delete in between isn't counted as freed.
  const before = await attempt(() => readFresh(slot));
  // What was decided on an earlier reading may not be due any more.
  const wanted = before === null ? null : wantedRelief(slot, before);
  const result = wanted === null ? null : await attempt(() => evict(slot, wanted, clock, deadlineMs));
  const after = wanted === null ? before : await attempt(() => readFresh(slot));
  // The pool is being relieved by somebody else: what that frees isn't this round's.
  const isElsewhere = errors[0] instanceof PoolError && errors[0].code === "conflict";
  const isMeasured = before !== null && after !== null && !isElsewhere;
  const freedBytes = isMeasured ? Math.max(0, before.usedBytes - after.usedBytes) : 0;
  const endedAtMs = clock.nowMs();
  const error = errors[0] ?? null;
  const { pressure } = toBindingPressure(trigger);
  return {
    pool: slot.pool.name,
    wantBytes: wanted?.wantBytes ?? wantBytes,
    claimedBytes: result?.claimedBytes ?? 0,
    freedBytes,
    measured: before !== null && after !== null,
    before,
    after,
    deleted: result?.deleted ?? [],
    wouldDelete: result?.wouldDelete ?? [],
    attempted: wanted !== null && !isElsewhere,
    superfluous: before !== null && wanted === null,
    dryRun: result?.dryRun ?? false,
    shortfall: result?.shortfall ?? error?.message ?? null,
    error,
    startedAtMs,
    endedAtMs,
    alert: {
      tierName: slot.pool.name,
      pressure,
      tier: toPressureTier(pressure),
      bytesFreed: freedBytes,
      // Without a measurement before it nothing is begun, nor beside another eviction.
      actionTaken: wanted !== null && !isElsewhere,
      atMs: endedAtMs,
    },
  };
}

async function readFresh(slot: PoolSlot): Promise<PoolReading> {
  // An eviction that was cut short by a stop or a replacement has freed something too.
  const reading = slot.retired.aborted ? await slot.readLast(LAST_READ_DEADLINE_MS) : await slot.readAfresh();
  if (reading.stale) throw new Error(`pool ${slot.pool.name} can only give a stale reading`);
  return reading;
}

async function evict(
  slot: PoolSlot,
  wanted: WantedRelief,
  clock: Clock,
  deadlineMs: number,
): Promise<EvictionResult> {
  const abort = new AbortController();
  const onRetired = (): void => abort.abort(slot.retired.reason);
  const cancel = clock.setTimeout(() => {
    abort.abort(new Error(`eviction took longer than ${deadlineMs} ms`));
  }, deadlineMs);
  if (slot.retired.aborted) onRetired();
  slot.retired.addEventListener("abort", onRetired, { once: true });
  try {
    return await slot.pool.evict({ ...wanted, signal: abort.signal });
  } finally {
    cancel();
    slot.retired.removeEventListener("abort", onRetired);
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
