import type { PressureTier } from "@continuum/wire-types";
import { countingMessages, hasRoom, type MessageWeight } from "./message-budget.js";
import { toPressureTier } from "./pressure.js";

/** When people are told of a pool's pressure. Ratios of its capacity, times in ms. */
export interface EpisodePolicy {
  /** An episode begins at this pressure. */
  readonly fireAt: number;
  /** Below this the pool is calm. */
  readonly resolveBelow: number;
  /** How long the first message waits for what the first relief comes to. */
  readonly fireAfterMs: number;
  /** How long a pool must be calm at least before its episode is over. */
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
const AGAIN_WITHIN_MS = 4 * 3_600_000;
const CALM_GROWS_BY = 3;
const MAX_CALM_MS = 4 * 3_600_000;
/** What was hot for long must be calm for long: half as long again, up to this. A flap of an hour is no end, then. */
const CALM_PER_HOT = 1.5;
const MAX_CALM_OF_LENGTH_MS = 5_400_000;

/** An episode of pressure of one pool, or what is left of the last one. Plain data; times are those of `observeEpisode`. */
export interface AlertEpisode {
  readonly id: string;
  /** Over: kept to know how long the next one must be calm, and how much was said. */
  readonly isOver: boolean;
  readonly startedAtMs: number;
  /** When it was over, or was last seen to go on. */
  readonly seenAtMs: number;
  /** Messages so far; 0 while the first one waits. */
  readonly messageCount: number;
  readonly saidAtMs: number;
  /** When messages of the pool were said in the last 24 hours, those of earlier episodes among them. */
  readonly saidMs: readonly number[];
  /** The worst severity that was told. */
  readonly highestTier: PressureTier;
  /** Freed in this episode, measured, in bytes. */
  readonly freedBytes: number;
  /** Whether relief was tried. */
  readonly actionTaken: boolean;
  /** Whether the last relief that was tried freed nothing. */
  readonly isStuck: boolean;
  /** Whether that was told. */
  readonly isStuckTold: boolean;
  readonly pressure: number;
  readonly calmSinceMs: number | null;
  /** How long it must be calm to be over, whatever its length. */
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
 * One step of a pool's episodes. An episode is told of once when it begins, when its severity exceeds all before, once
 * when relief of it frees nothing, again every four hours, and when it is over.
 *
 * A pool makes at most eight messages in any 24 hours, whatever it does. What finds no room waits until it has: an
 * episode that is over by then, and wasn't told, ends unheard. Critical never waits.
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
  if (seen.isGone || isCalmForLong(episode, seen.atMs)) {
    const over = { ...episode, isOver: true, seenAtMs: seen.atMs, calmSinceMs: null };
    // What nobody was told of ends unheard.
    if (episode.messageCount === 0) return { episode: over, message: null };
    return hasRoom(episode.saidMs, seen.atMs, "news")
      ? say(over, seen.atMs, "resolved")
      : { episode, message: null };
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
    saidMs: countingMessages(last?.saidMs ?? [], atMs),
    highestTier: "normal",
    freedBytes: 0,
    actionTaken: false,
    isStuck: false,
    isStuckTold: false,
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
  const freedBytes = relief?.freedBytes ?? 0;
  return {
    ...episode,
    seenAtMs: atMs,
    pressure: pressure ?? episode.pressure,
    freedBytes: episode.freedBytes + freedBytes,
    actionTaken: episode.actionTaken || relief?.actionTaken === true,
    isStuck: relief?.actionTaken === true ? freedBytes === 0 : episode.isStuck && freedBytes === 0,
    calmSinceMs: isCalm ? (episode.calmSinceMs ?? atMs) : null,
  };
}

function isCalmForLong({ startedAtMs, calmSinceMs, calmForMs }: AlertEpisode, atMs: number): boolean {
  if (calmSinceMs === null) return false;
  const ofLengthMs = Math.min(MAX_CALM_OF_LENGTH_MS, (calmSinceMs - startedAtMs) * CALM_PER_HOT);
  return atMs - calmSinceMs >= Math.max(calmForMs, ofLengthMs);
}

/** What is to be said, if there is room for it. */
function messageOf(
  episode: AlertEpisode,
  seen: EpisodeObservation,
  policy: EpisodePolicy,
): EpisodeMessage | null {
  const due = dueMessage(episode, seen, policy);
  return due !== null && hasRoom(episode.saidMs, seen.atMs, due.weight) ? due.message : null;
}

function dueMessage(
  episode: AlertEpisode,
  { atMs, pressure, relief }: EpisodeObservation,
  { fireAt, fireAfterMs, repeatMs }: EpisodePolicy,
): { readonly message: EpisodeMessage; readonly weight: MessageWeight } | null {
  const isCritical = toPressureTier(episode.pressure) === "critical";
  if (episode.messageCount === 0) {
    const isLate = atMs - episode.startedAtMs >= fireAfterMs && pressure !== null && pressure >= fireAt;
    if (relief === null && !isLate) return null;
    return { message: "fired", weight: isCritical ? "vital" : "news" };
  }
  if (pressure === null || episode.calmSinceMs !== null) return null;
  if (pressure >= fireAt && RANK[toPressureTier(pressure)] > RANK[episode.highestTier]) {
    return { message: "escalated", weight: isCritical ? "vital" : "reminder" };
  }
  if (episode.isStuck && !episode.isStuckTold && pressure >= fireAt) {
    return { message: "escalated", weight: "reminder" };
  }
  return atMs - episode.saidAtMs >= repeatMs ? { message: "repeated", weight: "reminder" } : null;
}

function say(episode: AlertEpisode, atMs: number, message: EpisodeMessage | null): EpisodeStep {
  if (message === null) return { episode, message };
  const tier = toPressureTier(episode.pressure);
  const highestTier = RANK[tier] > RANK[episode.highestTier] ? tier : episode.highestTier;
  return {
    episode: {
      ...episode,
      messageCount: episode.messageCount + 1,
      saidAtMs: atMs,
      saidMs: [...countingMessages(episode.saidMs, atMs), atMs],
      highestTier,
      isStuckTold: episode.isStuckTold || episode.isStuck,
    },
    message,
  };
}

/** What is over is kept for as long as it matters. */
function forget(last: AlertEpisode | null, atMs: number): AlertEpisode | null {
  if (last === null) return null;
  const matters = atMs - last.seenAtMs < AGAIN_WITHIN_MS || countingMessages(last.saidMs, atMs).length > 0;
  return matters ? last : null;
}
