import type { Clock } from "@continuum/broker-core";
import type { AlertMessage } from "@continuum/wire-types";
import type { AlertSink } from "./alert-sink.js";
import { postJson } from "./post-json.js";

/** How often what is open is told again, in ms. */
export const ALERTMANAGER_REFRESH_MS = 60_000;
/** What isn't told again ends by itself after this: a dead core's alerts do. */
const ENDS_AFTER_MS = 4 * ALERTMANAGER_REFRESH_MS;
const DEADLINE_MS = 10_000;
/** Alerts in one request. */
const BATCH = 256;
/** Episodes of which the sets of labels are remembered. */
const MAX_EPISODES = 4_096;

/** What the sink needs. */
export interface AlertmanagerSinkOptions {
  /** Where the Alertmanager answers, with its path prefix if it has one. */
  readonly url: URL;
  readonly instance: string;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

interface PostedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

/**
 * Tells an Alertmanager of each episode: one alert, whose labels are tier, severity and instance. The severity is a
 * label, so that routes and silences can go by it: when it changes the old set of labels ends as the new one begins.
 */
export function createAlertmanagerSink({
  url,
  instance,
  clock,
  deadlineMs = DEADLINE_MS,
}: AlertmanagerSinkOptions): AlertSink {
  const endpoint = new URL(url);
  endpoint.pathname = `${url.pathname.replace(/\/+$/u, "")}/api/v2/alerts`;
  /** The severities under which an episode may be known there, by episode. */
  const severities = new Map<string, Set<string>>();

  const toAlerts = (message: AlertMessage, isOver: boolean): readonly PostedAlert[] => {
    const { episodeId, alert, highestTier } = message;
    const known = severities.get(episodeId) ?? new Set();
    // Of an episode that this core has told nothing of yet an earlier one has, under what it said last.
    if (isOver && known.size === 0) known.add(highestTier);
    if (!isOver) known.add(alert.tier);
    severities.delete(episodeId);
    severities.set(episodeId, known);
    for (const oldest of severities.keys()) {
      if (severities.size <= MAX_EPISODES) break;
      severities.delete(oldest);
    }
    return [...known].map((severity) => toPosted(message, severity, !isOver && severity === alert.tier));
  };

  const toPosted = (message: AlertMessage, severity: string, isFiring: boolean): PostedAlert => {
    const { alert, startedAtMs, endedAtMs, text, nextCommand } = message;
    const nowMs = clock.nowMs();
    const endsMs = isFiring ? nowMs + ENDS_AFTER_MS : (endedAtMs ?? nowMs);
    return {
      labels: { alertname: "ContinuumPressure", tier: alert.tierName, severity, instance },
      annotations: { summary: text, next: nextCommand },
      startsAt: new Date(startedAtMs).toISOString(),
      // The wall clock may have been set back: an end before the beginning is refused.
      endsAt: new Date(Math.max(endsMs, startedAtMs + 1)).toISOString(),
    };
  };

  const post = async (alerts: readonly PostedAlert[], signal: AbortSignal): Promise<void> => {
    for (let i = 0; i < alerts.length; i += BATCH) {
      const body = JSON.stringify(alerts.slice(i, i + BATCH));
      await postJson({ url: endpoint, body, nowMs: clock.nowMs(), signal });
    }
  };

  /** After a delivery only what is still firing is known there. */
  const settle = ({ episodeId, alert }: AlertMessage, isOver: boolean): void => {
    if (isOver) severities.delete(episodeId);
    else severities.set(episodeId, new Set([alert.tier]));
  };

  return {
    kind: "alertmanager",
    target: url.origin,
    deadlineMs,
    deliver: async (message, signal) => {
      const isOver = message.kind === "resolved";
      await post(toAlerts(message, isOver), signal);
      settle(message, isOver);
    },
    refresh: async (open, signal) => {
      await post(
        open.flatMap((message) => toAlerts(message, false)),
        signal,
      );
      for (const message of open) settle(message, false);
    },
  };
}
