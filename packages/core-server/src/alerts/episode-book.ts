import type { AlertEpisode, Clock } from "@continuum/broker-core";
import type { AlertMessage } from "@continuum/wire-types";
import { isKeptEpisode, type KeptEpisode } from "./kept-episode.js";

/** Keeps small JSON values by key, for longer than the core lives. */
export interface EpisodeStore {
  load(): ReadonlyMap<string, unknown>;
  /** Null removes it. */
  put(key: string, value: unknown): void;
}

/** How long a pool may be away that never said how long it may be silent, in ms. */
const DEFAULT_GONE_AFTER_MS = 30_000;
/** Pools of which an episode is remembered; beyond, the one that has been over for longest is forgotten. */
const MAX_POOLS = 2_048;

interface Entry {
  readonly episode: AlertEpisode;
  /** When it began, Unix milliseconds. */
  readonly startedAtMs: number;
  /** What was said of it last; null before the first message. */
  readonly message: AlertMessage | null;
  /** How long nothing may be heard of the pool before it counts as gone, in ms. */
  readonly goneAfterMs: number;
}

/** The episodes of all pools; what changes is kept, so that a restart neither fires again nor forgets. */
export class EpisodeBook {
  readonly #entries = new Map<string, Entry>();
  /** Pools of an earlier core that this one hasn't seen yet. */
  readonly #awaited = new Set<string>();
  readonly #openedMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly store: EpisodeStore,
  ) {
    this.#openedMs = clock.monotonicMs();
    for (const [pool, value] of store.load()) {
      if (!isKeptEpisode(value)) continue;
      const { startedAtMs, message = null, goneAfterMs = DEFAULT_GONE_AFTER_MS } = value;
      this.#entries.set(pool, { episode: this.#toOwnTime(value), startedAtMs, message, goneAfterMs });
      this.#awaited.add(pool);
    }
  }

  get(pool: string): AlertEpisode | null {
    return this.#entries.get(pool)?.episode ?? null;
  }

  /** When the pool's episode began, Unix milliseconds. */
  startedAtMs(pool: string): number {
    return this.#entries.get(pool)?.startedAtMs ?? this.clock.nowMs();
  }

  pools(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The last message of each episode that was told and isn't over. */
  openMessages(): readonly AlertMessage[] {
    return [...this.#entries.values()].flatMap(({ episode, message }) =>
      episode.isOver || message === null ? [] : [message],
    );
  }

  /** The pool is there: from now on it may be gone. */
  see(pool: string): void {
    this.#awaited.delete(pool);
  }

  /** Whether a pool that an earlier core knew may still come: its process has to find the new core first. */
  isAwaited(pool: string): boolean {
    const goneAfterMs = this.#entries.get(pool)?.goneAfterMs ?? 0;
    return this.#awaited.has(pool) && this.clock.monotonicMs() - this.#openedMs < goneAfterMs;
  }

  /** Keeps an episode, and how long its pool may be silent if that is known; on disk only when something is new of it, not at every tick. */
  set(pool: string, episode: AlertEpisode | null, goneAfterMs: number | null): void {
    const before = this.#entries.get(pool);
    if (episode === null) {
      if (before !== undefined) this.#remove(pool);
      return;
    }
    if (before?.episode === episode) return;
    const isSame = before?.episode.id === episode.id;
    const entry: Entry = {
      episode,
      startedAtMs: isSame ? before.startedAtMs : this.clock.nowMs(),
      message: isSame ? before.message : null,
      goneAfterMs: goneAfterMs ?? before?.goneAfterMs ?? DEFAULT_GONE_AFTER_MS,
    };
    this.#entries.set(pool, entry);
    if (before === undefined || isNews(before.episode, episode)) this.#keep(pool, entry);
    if (this.#entries.size > MAX_POOLS) this.#forgetOldest();
  }

  /** Keeps what was said of the pool's episode. */
  say(pool: string, message: AlertMessage): void {
    const entry = this.#entries.get(pool);
    if (entry === undefined) return;
    this.#entries.set(pool, { ...entry, message });
    this.#keep(pool, { ...entry, message });
  }

  #keep(pool: string, entry: Entry): void {
    const kept: KeptEpisode = { ...entry, seenAtMs: this.clock.nowMs() };
    this.store.put(pool, kept);
  }

  #remove(pool: string): void {
    this.#entries.delete(pool);
    this.#awaited.delete(pool);
    this.store.put(pool, null);
  }

  #forgetOldest(): void {
    let oldest: string | null = null;
    let seenAtMs = Infinity;
    for (const [pool, { episode }] of this.#entries) {
      if (!episode.isOver || episode.seenAtMs >= seenAtMs) continue;
      [oldest, seenAtMs] = [pool, episode.seenAtMs];
    }
    if (oldest !== null) this.#remove(oldest);
  }

  /** Moves the times so that as much has passed since as did by the wall clock; never into the future. */
  #toOwnTime({ episode, seenAtMs }: KeptEpisode): AlertEpisode {
    const agoMs = Math.max(0, this.clock.nowMs() - seenAtMs);
    const byMs = this.clock.monotonicMs() - agoMs - episode.seenAtMs;
    const { saidMs = [], isStuck = false, isStuckTold = false } = episode;
    return {
      ...episode,
      startedAtMs: episode.startedAtMs + byMs,
      seenAtMs: episode.seenAtMs + byMs,
      saidAtMs: episode.saidAtMs + byMs,
      saidMs: saidMs.map((each) => each + byMs),
      isStuck,
      isStuckTold,
      // Nobody watched meanwhile: the calm has to be seen.
      calmSinceMs: null,
    };
  }
}

function isNews(before: AlertEpisode, after: AlertEpisode): boolean {
  const keys = [
    "id",
    "isOver",
    "messageCount",
    "highestTier",
    "freedBytes",
    "actionTaken",
    "isStuck",
    "calmForMs",
  ] as const;
  return keys.some((key) => before[key] !== after[key]);
}
