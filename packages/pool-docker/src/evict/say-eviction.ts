import { type EvictedItem, toPressure } from "@continuum/broker-core";
import {
  type DockerEvictionOutcome,
  type DockerEvictionPlan,
  type DockerEvictionRecord,
  formatBytes,
} from "@continuum/wire-types";
import type { LedgerEntry } from "../journal/eviction-ledger.js";
import type { EvictionPlan, EvictionRule, PlanEntry } from "../plan/eviction-plan.js";
import type { DetectedMeasurement } from "../probe/docker-measurement.js";
import type { EntryOutcome } from "./entry-outcome.js";
import type { ShelvedPlan } from "./plan-shelf.js";
import type { ReliefGoal } from "./relief-goal.js";

/** More of what stays isn't sent: a person reads the largest. */
const MAX_PROTECTED_SENT = 1_000;

const KINDS: Record<EvictionRule, string> = {
  unusedBuildCache: "build cache",
  stoppedContainer: "container",
  danglingImage: "dangling image",
  unusedImage: "image",
};

/** An entry as a broker's outcome has it. */
export function toEvictedItem({ id, rule, expectedBytes, name, reason }: PlanEntry): EvictedItem {
  return { key: id, kind: KINDS[rule], expectedBytes, reason: `${name}: ${reason}` };
}

/** A plan as it goes over the wire. */
export function toWirePlan(
  { planId, createdAtMs, expiresAtMs, policy, plan }: ShelvedPlan,
  { usedBytes, capacityBytes }: DetectedMeasurement,
): DockerEvictionPlan {
  const expectedUsedBytes = Math.max(0, usedBytes - plan.expectedBytes);
  return {
    planId,
    createdAtMs,
    expiresAtMs,
    policy: policy.name,
    wantBytes: plan.wantBytes,
    usedBytes,
    capacityBytes,
    pressure: toPressure(usedBytes, capacityBytes),
    expectedBytes: plan.expectedBytes,
    expectedUsedBytes,
    expectedPressure: toPressure(expectedUsedBytes, capacityBytes),
    shortfallBytes: Math.max(0, plan.wantBytes - plan.expectedBytes),
    spareBytes: plan.spareBytes,
    entries: plan.entries.map((entry) => ({
      position: entry.position,
      kind: entry.kind,
      id: entry.id,
      name: entry.name,
      references: entry.kind === "image" ? [...entry.image.tags] : [],
      rule: entry.rule,
      reason: entry.reason,
      expectedBytes: entry.expectedBytes,
      lastUsedAtMs: entry.lastUsedAtMs,
      restoreReference: entry.restoreReference,
    })),
    protectedEntries: plan.protectedEntries
      .slice(0, MAX_PROTECTED_SENT)
      .map(({ kind, id, name, sizeBytes, rule, reason }) => ({ kind, id, name, sizeBytes, rule, reason })),
    protectedCount: plan.protectedEntries.length,
  };
}

/** What became of an entry, as it goes over the wire. */
export function toWireOutcome({
  entry,
  outcome,
  detail,
  measuredBytes,
}: EntryOutcome): DockerEvictionOutcome {
  const { kind, id, name } = entry;
  const claimedBytes = outcome === "deleted" ? entry.expectedBytes : 0;
  return { kind, id, name, outcome, detail, claimedBytes, measuredBytes };
}

/** A line of the ledger, as it goes over the wire. */
export function toWireRecord(line: LedgerEntry): DockerEvictionRecord {
  return { ...line, references: [...line.references], digests: [...line.digests] };
}

/** Why less than wanted was freed, in a sentence; null when the goal was reached. */
export function toShortfall(
  goal: ReliefGoal,
  plan: EvictionPlan | null,
  notes: readonly string[],
  wasCutOff: boolean,
): string | null {
  if (goal.isReached) return null;
  const said = [...notes];
  if (wasCutOff) said.push("the eviction was ended early");
  else if (plan !== null) said.push(sayWhatStays(plan));
  const { remainingBytes, remainingInodes } = goal;
  const short = remainingBytes > 0 ? formatBytes(remainingBytes) : `${remainingInodes} inodes`;
  return `${short} short: ${said.join("; ")}`;
}

/** What a plan leaves alone and why, counted by reason. */
function sayWhatStays({ protectedEntries }: EvictionPlan): string {
  const images = protectedEntries.filter(({ kind }) => kind === "image");
  const counts = new Map<string, number>();
  for (const { reason } of images) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const kept = [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([reason, count]) => `${count} because ${reason}`)
    .join(", ");
  return `nothing more may be deleted (${images.length} images stay${kept === "" ? "" : `: ${kept}`}); volumes are never touched`;
}
