import { dropOldest } from "../drop-oldest.js";
import type { ImageUse, UseHistory } from "./image-use.js";

/** Uses that are remembered of one image, and how far apart they must be to count as several. */
const MAX_RECENT = 8;
const RECENT_APART_MS = 60_000;
/** Images that are gone are remembered: they come back. So many of them. */
const MAX_GONE = 20_000;
/** A time further ahead than this is a clock that is wrong. */
const MAX_AHEAD_MS = 86_400_000;

/** The uses of all images, with what changed since it was last written down. Pure bookkeeping: no clock, no engine. */
export class UseBook {
  readonly #uses: Map<string, ImageUse>;
  readonly #gone = new Set<string>();
  #changed = new Set<string>();
  #removed = new Set<string>();

  constructor(uses: UseHistory) {
    this.#uses = new Map(uses);
  }

  /** What is known now; changes as more is noted. */
  get history(): UseHistory {
    return this.#uses;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** Whether there is anything to write down. */
  get isDirty(): boolean {
    return this.#changed.size > 0 || this.#removed.size > 0;
  }

  /** Notes that an image is here. */
  see(id: string, nowMs: number): void {
    this.#gone.delete(id);
    if (!this.#uses.has(id)) this.#set(id, { ...neverUsed, firstSeenAtMs: nowMs });
  }

  /** Notes a use at `atMs`, by the engine's clock. Times never go back. */
  use(id: string, atMs: number, nowMs: number): void {
    this.#use(id, atMs, nowMs, 1);
  }

  /** Notes when something was used that may have been counted as it happened: only the time counts. */
  useKnownLater(id: string, atMs: number, nowMs: number): void {
    const known = this.#uses.get(id);
    if ((known?.lastUsedAtMs ?? 0) < atMs) this.#use(id, atMs, nowMs, 0);
  }

  /** Notes that nobody watched until `untilMs`: every image that is here may have been used. */
  gap(ids: Iterable<string>, untilMs: number, nowMs: number): void {
    for (const id of ids) {
      const before = this.#uses.get(id) ?? { ...neverUsed, firstSeenAtMs: nowMs };
      this.#set(id, { ...before, unwatchedUntilMs: Math.max(before.unwatchedUntilMs ?? 0, untilMs) });
    }
  }

  /** Notes that an image is gone; what is known of it stays for a while. */
  remove(id: string): void {
    if (!this.#uses.has(id)) return;
    this.#gone.delete(id);
    this.#gone.add(id);
    for (const oldest of dropOldest(this.#gone, MAX_GONE)) {
      this.#uses.delete(oldest);
      this.#changed.delete(oldest);
      this.#removed.add(oldest);
    }
  }

  /** Takes note of all images that are here: what isn't among them is gone. */
  keepOnly(ids: ReadonlySet<string>, nowMs: number): void {
    for (const id of ids) this.see(id, nowMs);
    for (const id of this.#uses.keys()) if (!ids.has(id) && !this.#gone.has(id)) this.remove(id);
  }

  /** What changed since the last call, to be written down; `putBack` takes it again when that failed. */
  takeChanges(): { readonly changed: ReadonlyMap<string, ImageUse>; readonly removed: readonly string[] } {
    const changed = new Map<string, ImageUse>();
    for (const id of this.#changed) {
      const use = this.#uses.get(id);
      if (use !== undefined) changed.set(id, use);
    }
    const removed = [...this.#removed];
    this.#changed = new Set();
    this.#removed = new Set();
    return { changed, removed };
  }

  /** Takes back changes that couldn't be written. */
  putBack({ changed, removed }: ReturnType<UseBook["takeChanges"]>): void {
    for (const id of changed.keys()) if (this.#uses.has(id)) this.#changed.add(id);
    for (const id of removed) if (!this.#uses.has(id)) this.#removed.add(id);
  }

  #use(id: string, atMs: number, nowMs: number, count: number): void {
    const usedAtMs = Number.isFinite(atMs) && atMs > 0 && atMs <= nowMs + MAX_AHEAD_MS ? atMs : nowMs;
    const before = this.#uses.get(id) ?? { ...neverUsed, firstSeenAtMs: Math.min(nowMs, usedAtMs) };
    this.#gone.delete(id);
    this.#set(id, {
      ...before,
      lastUsedAtMs: Math.max(before.lastUsedAtMs ?? 0, usedAtMs),
      useCount: before.useCount + count,
      recentUsesMs: withUse(before.recentUsesMs, usedAtMs),
    });
  }

  #set(id: string, use: ImageUse): void {
    this.#uses.set(id, use);
    this.#changed.add(id);
    this.#removed.delete(id);
  }
}

const neverUsed = {
  lastUsedAtMs: null,
  useCount: 0,
  recentUsesMs: [],
  unwatchedUntilMs: null,
};

/** Newest first, none within a minute of another: of those the newest stands for all. */
function withUse(recent: readonly number[], atMs: number): readonly number[] {
  const kept: number[] = [];
  for (const each of [...recent, atMs].sort((a, b) => b - a)) {
    const newer = kept.at(-1);
    if (newer === undefined || newer - each >= RECENT_APART_MS) kept.push(each);
  }
  return kept.slice(0, MAX_RECENT);
}
