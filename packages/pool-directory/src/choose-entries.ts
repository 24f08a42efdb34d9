import type { CacheEntry } from "./cache-entry.js";

/** What decides which entries may go. */
export interface ChooseOptions {
  readonly wantBytes: number;
  readonly nowMs: number;
  /** Nothing that was used or changed later than so long ago goes. */
  readonly minAgeMs: number;
  /** The pattern that keeps an entry; null when none does. */
  readonly keptBy: (key: string) => string | null;
}

/** An entry that is to go, with what that frees once those before it are gone. */
export interface ChosenEntry {
  readonly entry: CacheEntry;
  readonly expectedBytes: number;
}

/** An entry that stays, and why. */
export interface KeptEntry {
  readonly entry: CacheEntry;
  readonly reason: string;
}

/** What goes, least recently used first, and what must stay. */
export interface Choice {
  readonly chosen: readonly ChosenEntry[];
  readonly kept: readonly KeptEntry[];
  readonly expectedBytes: number;
}

/**
 * Chooses the least recently used entries until they free what is wanted, and leaves out those that turn out not to be
 * needed. A part that several entries use counts with the last of them. `wantBytes: Infinity` chooses all that may go.
 */
export function chooseEntries(entries: readonly CacheEntry[], options: ChooseOptions): Choice {
  const { wantBytes, ...rules } = options;
  const kept: KeptEntry[] = [];
  const candidates = entries.filter((entry) => {
    const reason = keepReason(entry, rules);
    if (reason !== null) kept.push({ entry, reason });
    return reason === null;
  });
  candidates.sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs || (a.key < b.key ? -1 : 1));
  const users = countUsers(entries);
  const taken: ChosenEntry[] = [];
  let bytes = 0;
  for (const entry of candidates) {
    if (bytes >= wantBytes) break;
    const expectedBytes = takeFrom(users, entry);
    taken.push({ entry, expectedBytes });
    bytes += expectedBytes;
  }
  if (bytes < wantBytes) return { chosen: taken, expectedBytes: bytes, kept };
  const all = taken.map(({ entry }) => entry);
  return { ...dropUnneeded(all, entries, bytes, wantBytes), kept };
}

function keepReason(
  entry: CacheEntry,
  { nowMs, minAgeMs, keptBy }: Omit<ChooseOptions, "wantBytes">,
): string | null {
  if (entry.keepReason !== null) return entry.keepReason;
  const pattern = keptBy(entry.key);
  if (pattern !== null) return `the pattern ${pattern} keeps it`;
  // A time to come (a clock that was set back) isn't an age.
  return nowMs - entry.lastUsedAtMs < minAgeMs || entry.lastUsedAtMs > nowMs
    ? "it is younger than the minimum age"
    : null;
}

/** How many entries use each part, by its path. */
export function countUsers(entries: readonly CacheEntry[]): Map<string, number> {
  const users = new Map<string, number>();
  for (const { parts } of entries) {
    for (const { path } of parts) users.set(path, (users.get(path) ?? 0) + 1);
  }
  return users;
}

/** What an entry frees when those that were taken before are gone. */
function takeFrom(users: Map<string, number>, { bytes, parts }: CacheEntry): number {
  let freed = bytes;
  for (const { path, bytes: partBytes } of parts) {
    const left = (users.get(path) ?? 1) - 1;
    users.set(path, left);
    if (left === 0) freed += partBytes;
  }
  return freed;
}

/** From the most recently used on: what is wanted is reached without it, so it stays. */
function dropUnneeded(
  taken: readonly CacheEntry[],
  entries: readonly CacheEntry[],
  total: number,
  wantBytes: number,
): { readonly chosen: readonly ChosenEntry[]; readonly expectedBytes: number } {
  const users = countUsers(entries);
  for (const entry of taken) takeFrom(users, entry);
  let bytes = total;
  const needed = taken.toReversed().filter((entry) => {
    // Without it, each part that only taken entries use stays, too.
    const loss = entry.parts.reduce(
      (sum, { path, bytes: partBytes }) => sum + (users.get(path) === 0 ? partBytes : 0),
      entry.bytes,
    );
    if (bytes - loss < wantBytes) return true;
    bytes -= loss;
    for (const { path } of entry.parts) users.set(path, (users.get(path) ?? 0) + 1);
    return false;
  });
  const remaining = countUsers(entries);
  const chosen = needed.toReversed().map((entry) => ({ entry, expectedBytes: takeFrom(remaining, entry) }));
  return { chosen, expectedBytes: bytes };
}
