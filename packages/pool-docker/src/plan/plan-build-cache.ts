import type { InventoryCacheRecord } from "./docker-inventory.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { type KeepReason, keepReasonOfRecord } from "./keep-reasons.js";

/** What of build cache goes, in order, what could go as well, and what stays. */
export interface BuildCachePlan {
  readonly chosen: readonly InventoryCacheRecord[];
  readonly spareBytes: number;
  readonly kept: readonly { readonly record: InventoryCacheRecord; readonly why: KeepReason }[];
}

/** Least recently used first, leaves before what they were made from, no more than are needed. */
export function planBuildCache(
  records: readonly InventoryCacheRecord[],
  policy: EvictionPolicy,
  excluded: ReadonlySet<string>,
  wantBytes: number,
  nowMs: number,
): BuildCachePlan {
  const byId = new Map(records.map((record) => [record.id, record]));
  const why = new Map<string, KeepReason>();
  for (const record of records) {
    const reason = excluded.has(record.id)
      ? ({ rule: "unknown", reason: "it was tried already in this eviction" } as const)
      : keepReasonOfRecord(record, policy, nowMs);
    if (reason !== null) keepWithParents(record, reason, byId, why);
  }
  const free = records.filter(({ id }) => !why.has(id));
  const usedAtMs = lastUses(free, byId);
  const depths = depthsOf(free, byId);
  const order = [...free].sort(
    (a, b) =>
      (usedAtMs.get(a.id) ?? 0) - (usedAtMs.get(b.id) ?? 0) ||
      (depths.get(b.id) ?? 0) - (depths.get(a.id) ?? 0) ||
      (a.id < b.id ? -1 : 1),
  );
  const taken: InventoryCacheRecord[] = [];
  let bytes = 0;
  for (const record of order) {
    if (bytes >= wantBytes) break;
    taken.push(record);
    bytes += record.sizeBytes;
  }
  const chosen = dropUnneeded(taken, bytes - wantBytes);
  const chosenIds = new Set(chosen.map(({ id }) => id));
  const spareBytes = free.reduce((sum, { id, sizeBytes }) => sum + (chosenIds.has(id) ? 0 : sizeBytes), 0);
  const kept = records.flatMap((record) => {
    const reason = why.get(record.id);
    return reason === undefined ? [] : [{ record, why: reason }];
  });
  return { chosen, spareBytes, kept };
}

/** A record that stays keeps what it was made from. */
function keepWithParents(
  record: InventoryCacheRecord,
  reason: KeepReason,
  byId: ReadonlyMap<string, InventoryCacheRecord>,
  why: Map<string, KeepReason>,
): void {
  if (!why.has(record.id) || why.get(record.id)?.rule === "neededByKept") why.set(record.id, reason);
  const open = [...record.parentIds];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const parent = byId.get(id);
    if (parent === undefined || why.has(id)) continue;
    why.set(id, { rule: "neededByKept", reason: "cache that stays was made from it" });
    open.push(...parent.parentIds);
  }
}

/** When each record, or what was made from it, was last used. */
function lastUses(
  records: readonly InventoryCacheRecord[],
  byId: ReadonlyMap<string, InventoryCacheRecord>,
): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const record of records) {
    const ownMs = record.lastUsedAtMs ?? record.createdAtMs ?? 0;
    for (const id of [record.id, ...ancestorsOf(record, byId)])
      uses.set(id, Math.max(uses.get(id) ?? 0, ownMs));
  }
  return uses;
}

function depthsOf(
  records: readonly InventoryCacheRecord[],
  byId: ReadonlyMap<string, InventoryCacheRecord>,
): ReadonlyMap<string, number> {
  return new Map(records.map((record) => [record.id, ancestorsOf(record, byId).size]));
}

function ancestorsOf(
  record: InventoryCacheRecord,
  byId: ReadonlyMap<string, InventoryCacheRecord>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...record.parentIds];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === record.id || found.has(id)) continue;
    found.add(id);
    open.push(...(byId.get(id)?.parentIds ?? []));
  }
  return found;
}

/** Drops the most recently used that aren't needed, with nothing that was made from them left to go. */
function dropUnneeded(
  taken: readonly InventoryCacheRecord[],
  excessBytes: number,
): readonly InventoryCacheRecord[] {
  const going = new Set(taken.map(({ id }) => id));
  let spareBytes = excessBytes;
  for (const record of [...taken].reverse()) {
    // What it was made from can't go before it.
    const isNeeded = record.sizeBytes > spareBytes || record.parentIds.some((id) => going.has(id));
    if (isNeeded) continue;
    going.delete(record.id);
    spareBytes -= record.sizeBytes;
  }
  return taken.filter(({ id }) => going.has(id));
}
