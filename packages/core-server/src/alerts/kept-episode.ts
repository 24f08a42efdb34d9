import type { AlertEpisode } from "@continuum/broker-core";
import { type AlertMessage, alertMessageSchema } from "@continuum/wire-types";

/** What a core that ran before may not have kept yet. */
type Later = "saidMs" | "isStuck" | "isStuckTold";

/** An episode on disk, with times of the wall clock beside it: those of a core that ran before mean nothing to this one. */
export interface KeptEpisode {
  readonly episode: Omit<AlertEpisode, Later> & Partial<Pick<AlertEpisode, Later>>;
  /** The wall clock when the episode was last seen. */
  readonly seenAtMs: number;
  /** When it began. */
  readonly startedAtMs: number;
  /** What was said of it last; null before the first message. */
  readonly message?: AlertMessage | null;
  /** How long nothing may be heard of its pool before it counts as gone. */
  readonly goneAfterMs?: number;
}

const NUMBERS = [
  "startedAtMs",
  "seenAtMs",
  "messageCount",
  "saidAtMs",
  "freedBytes",
  "pressure",
  "calmForMs",
] as const;

/** Whether a value from disk is an episode: what an older core, or somebody else, wrote is only taken if it is whole. */
export function isKeptEpisode(value: unknown): value is KeptEpisode {
  const kept = value as
    (Omit<Partial<KeptEpisode>, "episode"> & { episode?: KeptEpisode["episode"] | null }) | null;
  const { episode = null, message = null, goneAfterMs = 0 } = kept ?? {};
  if (typeof kept?.seenAtMs !== "number" || typeof kept.startedAtMs !== "number") return false;
  if (typeof episode !== "object" || episode === null || !Number.isFinite(goneAfterMs)) return false;
  const { saidMs = [] } = episode;
  return (
    typeof episode.id === "string" &&
    typeof episode.isOver === "boolean" &&
    typeof episode.highestTier === "string" &&
    NUMBERS.every((key) => Number.isFinite(episode[key])) &&
    Array.isArray(saidMs) &&
    saidMs.every((each) => Number.isFinite(each)) &&
    (message === null || alertMessageSchema.safeParse(message).success)
  );
}
