import { type AlertEpisode, type EpisodeMessage, toPressureTier } from "@continuum/broker-core";
import {
  type AlertConsumer,
  type AlertMessage,
  formatBytes,
  formatPressureAlert,
} from "@continuum/wire-types";
import { CACHE_POOL_PREFIX } from "../cache-pools.js";
import { formatDuration } from "../config/duration.js";

/** What a message says beside the episode itself. */
export interface AlertContext {
  readonly pool: string;
  readonly kind: EpisodeMessage;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly timeToFullMs: number | null;
  readonly biggestConsumer: AlertConsumer | null;
  /** Whether the pool is gone. */
  readonly isGone: boolean;
  /** Whether the core may delete. */
  readonly isEvictionOn: boolean;
}

/** The longest name that a message repeats, in characters. */
const MAX_NAME = 100;

/** A message of an episode, complete with its text. */
export function toAlertMessage(episode: AlertEpisode, context: AlertContext): AlertMessage {
  const { pool, kind, atMs, startedAtMs, timeToFullMs } = context;
  const consumer = context.biggestConsumer;
  const biggestConsumer = consumer === null ? null : { ...consumer, name: toPrintable(consumer.name) };
  const message = {
    episodeId: episode.id,
    kind,
    alert: {
      tierName: pool,
      pressure: episode.pressure,
      tier: toPressureTier(episode.pressure),
      bytesFreed: episode.freedBytes,
      actionTaken: episode.actionTaken,
      atMs,
    },
    startedAtMs,
    endedAtMs: kind === "resolved" ? atMs : null,
    highestTier: episode.highestTier,
    timeToFullMs,
    biggestConsumer,
    nextCommand: nextCommand(episode, context),
    messageCount: episode.messageCount,
  };
  return { ...message, text: toText(message, episode.isStuck, context.isGone) };
}

/** Whether the message says that the pool is gone. The contract has no field for it: it is in the text alone, before any name but the tier's. */
export function saysGone({ kind, text }: Pick<AlertMessage, "kind" | "text">): boolean {
  return kind === "resolved" && / action=\w+ state=resolved reason=gone /u.test(text);
}

/** What helps most now: what was deleted, if anything was, what could be, or who fills the disk. */
function nextCommand(
  { freedBytes, isStuck }: AlertEpisode,
  { kind, isEvictionOn, pool, biggestConsumer }: AlertContext,
): string {
  const hasFreed = freedBytes > 0 && (kind === "resolved" || !isStuck);
  // The pool of another process has no ledger here.
  const isOwn = pool === "docker" || pool.startsWith(CACHE_POOL_PREFIX);
  if (pool !== "docker" || kind === "resolved") {
    return hasFreed && isOwn ? "continuum history" : "continuum status";
  }
  // What isn't the engine's no plan can free.
  if (!isEvictionOn) return biggestConsumer?.kind === "files" ? "continuum usage" : "continuum plan";
  return hasFreed ? "continuum history" : "continuum usage";
}

/** One line: the contract's text of the alert, then what is known beyond. */
function toText(
  { alert, kind, timeToFullMs, biggestConsumer, nextCommand: next }: Omit<AlertMessage, "text">,
  isStuck: boolean,
  isGone: boolean,
): string {
  const parts = [formatPressureAlert(alert), `state=${kind}`];
  if (isGone && kind === "resolved") parts.push("reason=gone");
  // What was freed is the episode's: that nothing more can be had isn't in it.
  if (isStuck && alert.bytesFreed > 0 && kind !== "resolved") parts.push("relief=stuck");
  if (timeToFullMs !== null) parts.push(`full-in=${toShortDuration(timeToFullMs)}`);
  if (biggestConsumer !== null) {
    const { kind: what, name, sizeBytes } = biggestConsumer;
    parts.push(`biggest=${quote(`${what} ${name} ${formatBytes(sizeBytes)}`)}`);
  }
  parts.push(`next=${quote(next)}`);
  return parts.join(" ");
}

/** To the minute, or to the second below one: nobody counts a forecast's milliseconds. */
function toShortDuration(ms: number): string {
  const unitMs = ms >= 60_000 ? 60_000 : 1_000;
  return formatDuration(Math.max(unitMs, Math.floor(ms / unitMs) * unitMs));
}

function quote(text: string): string {
  return `"${text.replaceAll('"', "'")}"`;
}

/** A peer's text, without what could move a cursor or break a line. */
function toPrintable(text: string): string {
  // Cut first: half of a character is no character.
  return text.slice(0, MAX_NAME).replace(/[\p{C}\u2028\u2029]/gu, "?");
}
