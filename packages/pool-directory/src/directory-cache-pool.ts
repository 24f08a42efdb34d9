import {
  type Clock,
  type EvictedItem,
  type EvictionRequest,
  type EvictionResult,
  NO_COUNTERS,
  PoolError,
  type PoolReading,
  type ResourcePool,
  systemClock,
  toPressure,
} from "@continuum/broker-core";
import { formatBytes, type ResourcePoolEntry } from "@continuum/wire-types";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { BackgroundWalk } from "./background-walk.js";
import type { CacheEntry } from "./cache-entry.js";
import { resolveCacheRoot } from "./cache-root.js";
import { type Choice, chooseEntries, type ChosenEntry } from "./choose-entries.js";
import { DirectoryCache, type WalkedCache } from "./directory-cache.js";
import type { DirectoryPoolOptions } from "./directory-pool-options.js";
import { evictEntries, type EvictionCache } from "./evict-entries.js";
import { toPoolError } from "./file-error.js";
import { findFilesInUse } from "./files-in-use.js";
import { createKeepMatcher } from "./keep-patterns.js";
import { recoverTrash } from "./recover-trash.js";
import type { SafeDirectory } from "./safe-directory.js";
import type { DeletionRecorder } from "./settle-trash.js";

const DEFAULT_WALK_GAP_MS = 10_000;
const DEFAULT_WALK_DEADLINE_MS = 600_000;
/** How long a reading waits for the first walk. */
const FIRST_WALK_MS = 1_000;

/** What stands behind a pool's figures. */
export interface CacheStatus {
  readonly root: string;
  readonly layout: WalkedCache["layout"];
  /** When the last walk ended, and how long it took. */
  readonly walkedAtMs: number;
  readonly walkTookMs: number;
  readonly fileCount: number;
  readonly accessTimes: WalkedCache["accessTimes"];
  /** What may go now, least recently used first, and what stays and why. */
  readonly choice: Choice;
}

/**
 * A directory that holds models or packages, as a pool: measured by walks in the background, relieved by deleting the
 * entries that were used least recently. Throws a CacheRootError for a root that can't be one.
 */
export class DirectoryCachePool implements ResourcePool, AsyncDisposable {
  readonly name: string;
  readonly root: string;
  readonly #options: DirectoryPoolOptions;
  readonly #clock: Clock;
  readonly #cache: DirectoryCache;
  readonly #walk: BackgroundWalk<WalkedCache>;
  readonly #keptBy: (key: string) => string | null;
  readonly #closed = new AbortController();
  #recovered: Promise<void> | null = null;
  #eviction: Promise<unknown> | null = null;
  #evictionCount = 0;
  #known: { readonly found: WalkedCache; readonly minute: number; readonly choice: Choice } | null = null;
  #lastEvent = "";

  constructor(options: DirectoryPoolOptions) {
    const { name, clock = systemClock, layout = null } = options;
    this.name = name;
    this.root = resolveCacheRoot(options.root);
    this.#options = options;
    this.#clock = clock;
    this.#cache = new DirectoryCache(this.root, layout, options.findFilesInUse ?? findFilesInUse);
    this.#keptBy = createKeepMatcher(options.keep ?? []);
    const times = {
      gapMs: options.walkGapMs ?? DEFAULT_WALK_GAP_MS,
      deadlineMs: options.walkDeadlineMs ?? DEFAULT_WALK_DEADLINE_MS,
    };
    this.#walk = new BackgroundWalk(clock, times, (signal) => this.#cache.walk(signal));
  }

  /**
   * The last walk's figures; begins the next one where it is due, and waits only for the first, a second at most. Until
   * that has ended, and while the root isn't there, the pool isn't detected; where another directory has taken its place
   * the figures are stale until that is walked. Rejects with why no walk succeeds.
   */
  async read(signal: AbortSignal): Promise<PoolReading> {
    this.#requireOpen();
    this.#walk.startIfDue();
    if (this.#walk.last === null && this.#walk.isWalking) await this.#waitForFirst(signal);
    const { last, error } = this.#walk;
    if (error !== null) this.#say(`${this.root} can't be walked`, error);
    const isMissing = error instanceof PoolError && error.code === "notFound";
    if (isMissing || (last === null && error === null)) return this.#undetected();
    if (last === null) throw error;
    const { found, atMs } = last;
    const root = await this.#cache.identify();
    if (root === null) return this.#undetected();
    const isAnother = root.device !== found.device || root.inode !== found.inode;
    if (isAnother) this.#walk.startNow();
    const choice = this.#currentChoice(found);
    const capacity = await this.#capacity(found);
    return {
      atMs,
      detected: true,
      ...capacity,
      pressure: toPressure(capacity.usedBytes, capacity.capacityBytes),
      reclaimableBytes: choice.expectedBytes,
      stale: isAnother || error !== null || this.#walk.isStale,
      counters: {
        ...NO_COUNTERS,
        entryCount: found.entries.length,
        pinnedCount: choice.kept.length,
        evictionCount: this.#evictionCount,
        inflightCount: this.#eviction === null ? 0 : 1,
      },
    };
  }

  /** The entries of the last walk, largest first; the size of one includes what it shares with others. */
  async entries(signal: AbortSignal): Promise<readonly ResourcePoolEntry[]> {
    const { found } = this.#walk.last ?? (await this.#untilAborted(this.#walk.current(), signal));
    const { kept } = this.#currentChoice(found);
    const keptKeys = new Set(kept.map(({ entry }) => entry.key));
    const entries = found.entries.map((entry) => ({
      key: entry.key,
      sizeBytes: entry.parts.reduce((sum, { bytes }) => sum + bytes, entry.bytes),
      pinnedCount: keptKeys.has(entry.key) ? 1 : 0,
      loadedAt: entry.createdAtMs,
      lastAccessAt: entry.lastUsedAtMs,
      accessCount: 0,
    }));
    return entries.sort((a, b) => b.sizeBytes - a.sizeBytes);
  }

  /** The largest entry of the last walk; null before the first, and where there is none. */
  largest(): { readonly kind: string; readonly name: string; readonly sizeBytes: number } | null {
    let largest: { readonly kind: string; readonly name: string; readonly sizeBytes: number } | null = null;
    for (const { kind, key: name, bytes, parts } of this.#walk.last?.found.entries ?? []) {
      const sizeBytes = parts.reduce((sum, part) => sum + part.bytes, bytes);
      if (sizeBytes > (largest?.sizeBytes ?? 0)) largest = { kind, name, sizeBytes };
    }
    return largest;
  }

  /** What the last walk found, and what would go and stay; walks first where none has ended. */
  async status(signal: AbortSignal): Promise<CacheStatus> {
    const last = this.#walk.last ?? (await this.#untilAborted(this.#walk.current(), signal));
    const { layout, fileCount, accessTimes } = last.found;
    const choice = this.#choose(last.found, Infinity);
    const { root } = this;
    return { root, layout, walkedAtMs: last.atMs, walkTookMs: last.tookMs, fileCount, accessTimes, choice };
  }

  /**
   * Walks, deletes the least recently used entries until enough is free, and walks again, so that the next reading is
   * measured. Says only what it would do where eviction is off. One at a time: a second one rejects with `conflict`.
   */
  async evict({ wantBytes, signal }: EvictionRequest): Promise<EvictionResult> {
    this.#requireOpen();
    if (this.#eviction !== null) throw new PoolError("conflict", `${this.root} is being relieved already`);
    const eviction = this.#evict(wantBytes, AbortSignal.any([signal, this.#closed.signal]));
    this.#eviction = eviction;
    try {
      return await eviction;
    } catch (error) {
      throw toPoolError(error, `evicting from ${this.root}`);
    } finally {
      this.#eviction = null;
    }
  }

  /** Puts back or deletes for good what a killed process had taken out; once, before the first eviction. */
  recover(): Promise<void> {
    return (this.#recovered ??= this.#recover());
  }

  /** Ends walks and evictions; what an eviction hasn't committed is put back. */
  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all([this.#walk.close(), this.#eviction?.catch(() => undefined), this.#recovered]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #evict(wantBytes: number, signal: AbortSignal): Promise<EvictionResult> {
    if (wantBytes <= 0 || signal.aborted)
      return toResult([], { isDry: false, shortfall: signal.aborted ? ABORTED : null });
    const isDry = this.#options.evict === "off";
    if (!isDry) await this.recover();
    const { found } = await this.#untilAborted(this.#walk.afresh(), signal);
    const choice = this.#choose(found, wantBytes);
    const items = (chosen: readonly ChosenEntry[]): EvictedItem[] =>
      chosen.map((each) => this.#toItem(each, found));
    const short = choice.expectedBytes < wantBytes ? this.#whyShort(choice) : null;
    if (isDry)
      return toResult(items(choice.chosen), { isDry, shortfall: short ?? "eviction is off for this cache" });
    await using root = await this.#cache.open(found);
    const reasonOf = (entry: CacheEntry): string => this.#reason(entry, found);
    const { deleted, skipped } = await evictEntries(
      this.#evictionCache(root, found),
      choice.chosen,
      reasonOf,
      signal,
    );
    this.#evictionCount += deleted.length;
    if (found.layout === "huggingface") {
      await this.#cache.tidy(root, new Set(deleted.map(({ entry }) => entry.key.split("/")[0] ?? "")));
    }
    // Measured, not claimed: the next reading is of this walk.
    if (deleted.length > 0 && !this.#closed.signal.aborted) await this.#walk.afresh();
    const freed = deleted.reduce((sum, { expectedBytes }) => sum + expectedBytes, 0);
    const [first] = skipped;
    const skippedText = first && `${skipped.length} of the chosen stayed: ${first.key}: ${first.reason}`;
    const shortfall = freed >= wantBytes ? null : isAborted(signal) ? ABORTED : (skippedText ?? short);
    return toResult(items(deleted), { isDry, shortfall });
  }

  async #recover(): Promise<void> {
    try {
      const { found } = this.#walk.last ?? (await this.#walk.current());
      await using root = await this.#cache.open(found);
      const { putBack, finished, foreign } = await recoverTrash({ ...this.#ledgerPort(), root });
      if (putBack.length + finished.length > 0) {
        const text = `an eviction in ${this.root} was cut short: ${putBack.length} put back, ${finished.length} finished`;
        this.#options.onEvent?.(text, null);
      }
      for (const name of foreign)
        this.#options.onEvent?.(`${join(this.root, name)} is left alone: its record isn't one`, null);
    } catch (error) {
      this.#recovered = null;
      this.#say(`what a killed eviction left in ${this.root} can't be settled`, error);
    }
  }

  #evictionCache(root: SafeDirectory, found: WalkedCache): EvictionCache {
    return {
      ...this.#ledgerPort(),
      pool: this.name,
      root,
      recheck: (entries, signal) => this.#cache.recheck(entries, found, signal),
      missedBy: (taken, signal) => this.#cache.missedBy(taken, found, signal),
      usedBy: (taken, signal) => this.#cache.usedBy(taken, found, signal),
      refreshUse: (signal) => this.#cache.refreshUse(found.device, signal),
    };
  }

  #ledgerPort(): DeletionRecorder {
    return {
      nowMs: () => this.#clock.nowMs(),
      pathOf: (key) => join(this.root, key),
      record: async (deletion) => {
        try {
          await this.#options.ledger?.append(deletion);
          return true;
        } catch (error) {
          this.#say(`the ledger didn't take ${deletion.path}`, error);
          return false;
        }
      },
    };
  }

  #choose({ entries }: WalkedCache, wantBytes: number): Choice {
    const { minAgeMs } = this.#options;
    return chooseEntries(entries, { wantBytes, nowMs: this.#clock.nowMs(), minAgeMs, keptBy: this.#keptBy });
  }

  /** All that may go now; worked out once a minute, since what was young gets old. */
  #currentChoice(found: WalkedCache): Choice {
    const minute = Math.floor(this.#clock.nowMs() / 60_000);
    if (this.#known?.found !== found || this.#known.minute !== minute) {
      this.#known = { found, minute, choice: this.#choose(found, Infinity) };
    }
    return this.#known.choice;
  }

  async #capacity({
    totalBytes,
  }: WalkedCache): Promise<{ readonly usedBytes: number; readonly capacityBytes: number }> {
    const { maxBytes } = this.#options;
    if (maxBytes !== null) return { usedBytes: totalBytes, capacityBytes: maxBytes };
    try {
      const { blocks, bfree, bavail, bsize } = await statfs(this.root);
      const usedBytes = (blocks - bfree) * bsize;
      // As in df: what is reserved for root is nobody's.
      return { usedBytes, capacityBytes: usedBytes + bavail * bsize };
    } catch (error) {
      throw toPoolError(error, `measuring ${this.root}`);
    }
  }

  #undetected(): PoolReading {
    const counters = NO_COUNTERS;
    const figures = { detected: false, capacityBytes: 0, usedBytes: 0, pressure: 0, stale: false };
    return { atMs: this.#clock.nowMs(), ...figures, reclaimableBytes: null, counters };
  }

  async #waitForFirst(signal: AbortSignal): Promise<void> {
    const patience = new AbortController();
    const cancel = this.#clock.setTimeout(() => {
      patience.abort();
    }, FIRST_WALK_MS);
    try {
      await this.#untilAborted(this.#walk.current(), AbortSignal.any([signal, patience.signal]));
    } catch (error) {
      // Why it failed is kept with the walk.
      if (signal.aborted) throw error;
    } finally {
      cancel();
    }
  }

  async #untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        reject(new PoolError("aborted", `waiting for a walk of ${this.root} was aborted`));
      };
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #toItem({ entry, expectedBytes }: ChosenEntry, found: WalkedCache): EvictedItem {
    return { key: entry.key, kind: entry.kind, expectedBytes, reason: this.#reason(entry, found) };
  }

  #reason({ lastUsedAtMs, restore }: CacheEntry, { accessTimes }: WalkedCache): string {
    const days = Math.max(0, (this.#clock.nowMs() - lastUsedAtMs) / 86_400_000);
    const age = days < 1 ? `${Math.round(days * 24)} h ago` : `${Math.floor(days)} d ago`;
    const use =
      accessTimes === "off" ? `changed ${age} (its filesystem keeps no access times)` : `used ${age}`;
    return `last ${use}${restore === null ? "" : `; ${restore} brings it back`}`;
  }

  #whyShort({ kept, expectedBytes }: Choice): string {
    const [first] = kept;
    const why =
      first === undefined ? "" : `; ${kept.length} stay, such as ${first.entry.key}: ${first.reason}`;
    return `only ${formatBytes(expectedBytes)} may go${why}`;
  }

  #requireOpen(): void {
    if (this.#closed.signal.aborted) throw new PoolError("aborted", `the pool ${this.name} is closed`);
  }

  /** The same news once. */
  #say(message: string, error: unknown): void {
    const text = `${message}: ${error instanceof Error ? error.message : String(error)}`;
    if (text === this.#lastEvent) return;
    this.#lastEvent = text;
    this.#options.onEvent?.(text, error);
  }
}

const ABORTED = "the eviction was aborted";
/** A signal aborts while one waits: the compiler takes its first answer for the last. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function toResult(
  items: readonly EvictedItem[],
  { isDry, shortfall }: { readonly isDry: boolean; readonly shortfall: string | null },
): EvictionResult {
  const claimedBytes = isDry ? 0 : items.reduce((sum, { expectedBytes }) => sum + (expectedBytes ?? 0), 0);
  return {
    claimedBytes,
    deleted: isDry ? [] : items,
    wouldDelete: isDry ? items : [],
    dryRun: isDry,
    shortfall,
  };
}
