import type { Clock } from "@continuum/broker-core";
import type { AlertMessage } from "@continuum/wire-types";
import type { WebhookKind } from "../config/alert-webhooks.js";
import type { AlertSink } from "./alert-sink.js";
import { postJson } from "./post-json.js";
import { signWebhook, type WebhookSecret } from "./sign-webhook.js";
import { toDiscordBody, toJsonBody, toNtfyBody, toSlackBody } from "./webhook-bodies.js";

const DEADLINE_MS = 10_000;

/** What a webhook needs; `secret` signs those of kind `json`. */
export interface WebhookSinkOptions {
  readonly kind: WebhookKind;
  readonly url: URL;
  readonly secret: WebhookSecret | null;
  /** Whose messages they are. */
  readonly instance: string;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

/** Posts each message as its receiver takes it. */
export function createWebhookSink({
  kind,
  url,
  secret,
  instance,
  clock,
  deadlineMs = DEADLINE_MS,
}: WebhookSinkOptions): AlertSink {
  const post = (
    to: URL,
    body: string,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> => postJson({ url: to, body, headers, nowMs: clock.nowMs(), signal });
  const deliver = (message: AlertMessage, signal: AbortSignal): Promise<void> => {
    switch (kind) {
      case "slack":
        return post(url, toSlackBody(message, instance), signal);
      case "discord":
        return post(url, toDiscordBody(message, instance), signal);
      case "ntfy": {
        const { server, topic } = splitTopic(url);
        return post(server, toNtfyBody(message, instance, topic), signal);
      }
      case "json": {
        const body = toJsonBody(message, instance);
        // The same in every attempt: a receiver that has it already knows it again.
        const id = `${message.episodeId}.${message.messageCount}`;
        const headers = secret === null ? {} : signWebhook(secret, { id, atMs: clock.nowMs(), body });
        return post(url, body, signal, headers);
      }
    }
  };
  return { kind, target: url.origin, deadlineMs, deliver };
}

/** `https://server/path/topic` as the server's root and the topic. */
function splitTopic(url: URL): { readonly server: URL; readonly topic: string } {
  const server = new URL(url);
  const parts = url.pathname.split("/").filter((part) => part !== "");
  const topic = decodeURIComponent(parts.pop() ?? "");
  server.pathname = `/${parts.join("/")}`;
  return { server, topic };
}
