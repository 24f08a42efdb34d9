import {
  type Clock,
  ensureProjectedDiskCapacity,
  PoolError,
  ResourceAdmissionError,
} from "@continuum/broker-core";
import type { DockerUndoOutcome } from "@continuum/wire-types";
import type { LedgerEntry } from "../journal/eviction-ledger.js";
import type { DockerMeasurement } from "../probe/docker-measurement.js";
import type { EvictionRecord } from "./eviction-record.js";
import { restoreImage, type RestoringEngine } from "./restore-image.js";

/** What an undo works with. */
export interface UndoOptions {
  readonly engine: RestoringEngine;
  readonly measure: () => Promise<DockerMeasurement>;
  readonly clock: Clock;
  readonly record: EvictionRecord;
  /** Told of each as it is settled. */
  readonly onOutcome: (outcome: DockerUndoOutcome) => void;
}

/** Brings back what was evicted, one after the other; says of each what became of it. */
export async function undoEviction(
  options: UndoOptions,
  lost: readonly LedgerEntry[],
  signal: AbortSignal,
): Promise<void> {
  for (const line of lost) {
    if (signal.aborted) return;
    const outcome = await undoOne(options, line, signal);
    options.onOutcome(outcome);
    if (outcome.outcome === "impossible") continue;
    const { kind, id, name, rule, references, digests, restoreReference, claimedBytes } = line;
    options.record.writeLine({
      kind,
      id,
      name,
      rule,
      references,
      digests,
      restoreReference,
      claimedBytes,
      reason: `undo of eviction ${line.evictionId}`,
      outcome: outcome.outcome === "failed" ? "failed" : "restored",
      detail: outcome.outcome === "present" ? (outcome.detail ?? "it was here already") : outcome.detail,
      measuredBytes: null,
    });
  }
}

async function undoOne(
  { engine, measure }: UndoOptions,
  line: LedgerEntry,
  signal: AbortSignal,
): Promise<DockerUndoOutcome> {
  const { kind, id, name, references, restoreReference } = line;
  const base = { kind, id, name, reference: null, references: [] };
  if (kind === "buildCache") {
    return { ...base, outcome: "impossible", detail: "build cache comes back with the next build" };
  }
  if (kind === "container") {
    return { ...base, outcome: "impossible", detail: "a container's writable layer is gone for good" };
  }
  try {
    const beforePull = (): Promise<void> => ensureRoom(measure, line);
    const restored = await restoreImage(engine, { id, references, restoreReference }, { signal, beforePull });
    return { kind, id, name, ...restored, references: [...restored.references] };
  } catch (error) {
    if (!(error instanceof PoolError || error instanceof ResourceAdmissionError)) throw error;
    return { ...base, outcome: "failed", detail: error.message };
  }
}

/** An undo must not bring about what the eviction was for. */
async function ensureRoom(measure: UndoOptions["measure"], { claimedBytes }: LedgerEntry): Promise<void> {
  const measurement = await measure();
  if (measurement.kind !== "detected" || measurement.capacityBytes === 0) return;
  const { usedBytes, capacityBytes } = measurement;
  ensureProjectedDiskCapacity({
    tier: "docker",
    usedBytes,
    capacityBytes,
    projectedBytes: claimedBytes ?? 0,
  });
}
