import { type AlertEpisode, type Clock } from "@continuum/broker-core";

/** Keeps small JSON values by key, for longer than the core lives. */
export interface EpisodeStore {
  load(): ReadonlyMap<string, unknown>;
  /** Null removes it. */
  put(key: string, value: unknown): void;
}

/** An episode with the times of the wall clock beside it: those of a core that ran before mean nothing to this one. */
interface KeptEpisode {
  readonly episode: AlertEpisode;
  /** The wall clock when the episode was last seen. */
  readonly seenAtMs: number;
  /** When it began. */
  readonly startedAtMs: number;
}

/** The episodes of all pools; what changes is kept, so that a restart neither fires again nor forgets. */
export class EpisodeBook {
  readonly #episodes = new Map<string, AlertEpisode>();
  /** When each began, by the wall clock. */
  readonly #startedAtMs = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly store: EpisodeStore,
  ) {
    for (const [pool, value] of store.load()) {
      if (!isKept(value)) continue;
      this.#episodes.set(pool, this.#toOwnTime(value));
      this.#startedAtMs.set(pool, value.startedAtMs);
    }
  }

  get(pool: string): AlertEpisode | null {
    return this.#episodes.get(pool) ?? null;
  }

  /** When the pool's episode began, Unix milliseconds. */
  startedAtMs(pool: string): number {
    return this.#startedAtMs.get(pool) ?? this.clock.nowMs();
  }

  pools(): readonly string[] {
    return [...this.#episodes.keys()];
  }

  /** Keeps an episode; on disk only when something is new of it, not at every tick. */
  set(pool: string, episode: AlertEpisode | null): void {
    const before = this.get(pool);
    if (before === episode) return;
    if (episode === null) {
      this.#episodes.delete(pool);
      this.#startedAtMs.delete(pool);
      this.store.put(pool, null);
      return;
    }
    this.#episodes.set(pool, episode);
    if (before?.id !== episode.id) this.#startedAtMs.set(pool, this.clock.nowMs());
    if (before === null || isNews(before, episode)) {
      const kept: KeptEpisode = {
        episode,
        seenAtMs: this.clock.nowMs(),
        startedAtMs: this.startedAtMs(pool),
      };
      this.store.put(pool, kept);
    }
  }

  /** Moves the times so that as much has passed since as did by the wall clock; never into the future. */
  #toOwnTime({ episode, seenAtMs }: KeptEpisode): AlertEpisode {
    const agoMs = Math.max(0, this.clock.nowMs() - seenAtMs);
    const byMs = this.clock.monotonicMs() - agoMs - episode.seenAtMs;
    return {
      ...episode,
      startedAtMs: episode.startedAtMs + byMs,
      seenAtMs: episode.seenAtMs + byMs,
      saidAtMs: episode.saidAtMs + byMs,
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
    "calmForMs",
  ] as const;
  return keys.some((key) => before[key] !== after[key]);
}

/** What an older core, or somebody else, wrote is only taken if it is whole. */
function isKept(value: unknown): value is KeptEpisode {
  const kept = value as Partial<KeptEpisode> | null;
  const { episode } = kept ?? {};
  if (typeof kept?.seenAtMs !== "number" || typeof kept.startedAtMs !== "number") return false;
  if (typeof episode !== "object") return false;
  const numbers = [
    "startedAtMs",
    "seenAtMs",
    "messageCount",
    "saidAtMs",
    "freedBytes",
    "pressure",
    "calmForMs",
  ] as const;
  return (
    typeof episode.id === "string" &&
    typeof episode.isOver === "boolean" &&
    typeof episode.highestTier === "string" &&
    numbers.every((key) => Number.isFinite(episode[key]))
  );
}
