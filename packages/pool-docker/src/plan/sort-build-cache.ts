import type { InventoryCacheRecord } from "./docker-inventory.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { type KeepReason, keepReasonOfRecord } from "./keep-reasons.js";
import { EXCLUDED } from "./sort-images.js";

/** What of build cache may go, in order, and what stays. */
export interface SortedBuildCache {
  readonly free: readonly InventoryCacheRecord[];
  readonly kept: readonly { readonly record: InventoryCacheRecord; readonly why: KeepReason }[];
}

/**
 * Says of each record of build cache whether it may go: least recently used first, leaves before what they were made
 * from. What an image shares stays: it would free nothing. Once that image is gone, the engine says that it isn't shared.
 */
export function sortBuildCache(
  records: readonly InventoryCacheRecord[],
  policy: EvictionPolicy,
  excluded: ReadonlySet<string>,
  nowMs: number,
): SortedBuildCache {
  const byId = new Map(records.map((record) => [record.id, record]));
  const why = new Map<string, KeepReason>();
  for (const record of records) {
    const reason = excluded.has(record.id) ? EXCLUDED : keepReasonOfRecord(record, policy, nowMs);
    if (reason !== null) keepWithParents(record, reason, byId, why);
  }
  const free = records.filter(({ id }) => !why.has(id));
  const usedAtMs = lastUses(free, byId);
  const depths = depthsOf(free, byId);
  free.sort(
    (a, b) =>
      (usedAtMs.get(a.id) ?? 0) - (usedAtMs.get(b.id) ?? 0) ||
      (depths.get(b.id) ?? 0) - (depths.get(a.id) ?? 0) ||
      (a.id < b.id ? -1 : 1),
  );
  const kept = records.flatMap((record) => {
    const reason = why.get(record.id);
    return reason === undefined ? [] : [{ record, why: reason }];
  });
  return { free, kept };
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
