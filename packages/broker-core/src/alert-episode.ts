import type { PressureTier } from "@continuum/wire-types";
import { toPressureTier } from "./pressure.js";

/** When people are told of a pool's pressure. Ratios of its capacity, times in ms. */
export interface EpisodePolicy {
  /** An episode begins at this pressure. */
  readonly fireAt: number;
  /** Below this the pool is calm. */
  readonly resolveBelow: number;
  /** How long the first message waits for what the first relief comes to. */
  readonly fireAfterMs: number;
  /** How long a pool must be calm before its episode is over. */
  readonly resolveAfterMs: number;
  /** While it lasts, a message comes again after this. */
  readonly repeatMs: number;
}

/** What a pool's policy makes of it: calm is 5 % of the capacity below the start of relief. */
export function toEpisodePolicy({ actAbove }: { readonly actAbove: number }): EpisodePolicy {
  return {
    fireAt: actAbove,
    resolveBelow: Math.max(0, actAbove - 0.05),
    fireAfterMs: 10_000,
    resolveAfterMs: 600_000,
    repeatMs: 4 * 3_600_000,
  };
}

/** A pool that came under pressure again so soon after an episode must be calm for longer, the next time. */
const AGAIN_WITHIN_MS = 3_600_000;
const CALM_GROWS_BY = 3;
const MAX_CALM_MS = 4 * 3_600_000;

/** An episode of pressure of one pool, or what is left of the last one. Plain data; times are those of `observeEpisode`. */
export interface AlertEpisode {
  readonly id: string;
  /** Over: kept to know how long the next one must be calm. */
  readonly isOver: boolean;
  readonly startedAtMs: number;
  /** When it was over, or was last seen to go on. */
  readonly seenAtMs: number;
  /** Messages so far; 0 while the first one waits. */
  readonly messageCount: number;
  readonly saidAtMs: number;
  readonly highestTier: PressureTier;
  /** Freed in this episode, measured, in bytes. */
  readonly freedBytes: number;
  /** Whether relief was tried. */
  readonly actionTaken: boolean;
  readonly pressure: number;
  readonly calmSinceMs: number | null;
  /** How long it must be calm to be over. */
  readonly calmForMs: number;
}

/** What is seen of a pool at a time. */
export interface EpisodeObservation {
  /** Never goes back; any origin. */
  readonly atMs: number;
  /** Null when it isn't known: then nothing begins, grows worse or ends. */
  readonly pressure: number | null;
  /** What a relief came to that has just ended; null when none has. */
  readonly relief: { readonly freedBytes: number; readonly actionTaken: boolean } | null;
  /** Whether the pool is gone for good: its episode is over. */
  readonly isGone: boolean;
}

/** What is new of an episode. */
export type EpisodeMessage = "fired" | "escalated" | "repeated" | "resolved";

/** The episode after an observation, and what is to be said of it, if anything. */
export interface EpisodeStep {
  readonly episode: AlertEpisode | null;
  readonly message: EpisodeMessage | null;
}

const RANK: Readonly<Record<PressureTier, number>> = { normal: 0, warning: 1, high: 2, critical: 3 };

/**
 * One step of a pool's episodes. An episode is told of once when it begins, when its severity exceeds all before, again
 * every four hours, and when it is over: a day of it makes at most eight messages, and a pool that flaps one episode.
 */
export function observeEpisode(
  before: AlertEpisode | null,
  seen: EpisodeObservation,
  policy: EpisodePolicy,
  newId: () => string,
): EpisodeStep {
  const current = before === null || before.isOver ? begin(before, seen, policy, newId) : before;
  if (current === null) return { episode: forget(before, seen.atMs), message: null };
  const episode = update(current, seen, policy);
  const isCalm = episode.calmSinceMs !== null && seen.atMs - episode.calmSinceMs >= episode.calmForMs;
  if (seen.isGone || isCalm) {
    const over = { ...episode, isOver: true, seenAtMs: seen.atMs, calmSinceMs: null };
    // What nobody was told of ends unheard.
    return episode.messageCount > 0 ? say(over, seen.atMs, "resolved") : { episode: over, message: null };
  }
  return say(episode, seen.atMs, messageOf(episode, seen, policy));
}

function begin(
  last: AlertEpisode | null,
  { atMs, pressure, isGone }: EpisodeObservation,
  { fireAt, resolveAfterMs }: EpisodePolicy,
  newId: () => string,
): AlertEpisode | null {
  if (isGone || pressure === null || pressure < fireAt) return null;
  const isAgain = last !== null && last.messageCount > 0 && atMs - last.seenAtMs < AGAIN_WITHIN_MS;
  return {
    id: newId(),
    isOver: false,
    startedAtMs: atMs,
    seenAtMs: atMs,
    messageCount: 0,
    saidAtMs: atMs,
    highestTier: "normal",
    freedBytes: 0,
    actionTaken: false,
    pressure,
    calmSinceMs: null,
    calmForMs: isAgain ? Math.min(MAX_CALM_MS, last.calmForMs * CALM_GROWS_BY) : resolveAfterMs,
  };
}

function update(
  episode: AlertEpisode,
  { atMs, pressure, relief }: EpisodeObservation,
  { resolveBelow }: EpisodePolicy,
): AlertEpisode {
  // Not to know isn't to be calm: the calm must be seen, all of it.
  const isCalm = pressure !== null && pressure < resolveBelow;
  return {
    ...episode,
    seenAtMs: atMs,
    pressure: pressure ?? episode.pressure,
    freedBytes: episode.freedBytes + (relief?.freedBytes ?? 0),
    actionTaken: episode.actionTaken || relief?.actionTaken === true,
    calmSinceMs: isCalm ? (episode.calmSinceMs ?? atMs) : null,
  };
}

function messageOf(
  episode: AlertEpisode,
  { atMs, pressure, relief }: EpisodeObservation,
  { fireAt, fireAfterMs, repeatMs }: EpisodePolicy,
): EpisodeMessage | null {
  if (episode.messageCount === 0) {
    const isLate = atMs - episode.startedAtMs >= fireAfterMs && pressure !== null && pressure >= fireAt;
    return relief !== null || isLate ? "fired" : null;
  }
  if (pressure === null || episode.calmSinceMs !== null) return null;
  if (pressure >= fireAt && RANK[toPressureTier(pressure)] > RANK[episode.highestTier]) return "escalated";
  return atMs - episode.saidAtMs >= repeatMs ? "repeated" : null;
}

function say(episode: AlertEpisode, atMs: number, message: EpisodeMessage | null): EpisodeStep {
  if (message === null) return { episode, message };
  const tier = toPressureTier(episode.pressure);
  const highestTier = RANK[tier] > RANK[episode.highestTier] ? tier : episode.highestTier;
  return {
    episode: { ...episode, messageCount: episode.messageCount + 1, saidAtMs: atMs, highestTier },
    message,
  };
}

/** What is over is kept for as long as it matters. */
function forget(last: AlertEpisode | null, atMs: number): AlertEpisode | null {
  return last !== null && atMs - last.seenAtMs < AGAIN_WITHIN_MS ? last : null;
}
