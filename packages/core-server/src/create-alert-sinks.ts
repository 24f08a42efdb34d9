import type { Clock } from "@continuum/broker-core";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Logger } from "pino";
import type { CoreConfig } from "./config/core-config.js";
import { CoreError } from "./core-error.js";
import type { AlertSink } from "./sinks/alert-sink.js";
import { createAlertmanagerSink } from "./sinks/alertmanager-sink.js";
import { createChatSink } from "./sinks/chat-sink.js";
import { createLogSink } from "./sinks/log-sink.js";
import { parseWebhookSecret, type WebhookSecret } from "./sinks/sign-webhook.js";
import { createWebhookSink } from "./sinks/webhook-sink.js";

/** What sinks are made with. */
export interface AlertSinkParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** What a chat's program gets, without the core's secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const MAX_SECRET_BYTES = 4_096;

/**
 * The sinks that a configuration names, the log first. Throws a CoreError `usage` when a webhook is to be signed and
 * there is no secret that can be used.
 */
export function createAlertSinks(
  { alertCommand, alertWebhooks, alertmanagerUrl, alertSecret, alertSecretFile, alertInstance }: CoreConfig,
  { clock, log, env }: AlertSinkParts,
): readonly AlertSink[] {
  const instance = alertInstance ?? hostname();
  const isSigned = alertWebhooks.some(({ kind }) => kind === "json");
  const secret = isSigned ? readSecret(alertSecret, alertSecretFile) : null;
  return [
    createLogSink(log),
    ...(alertCommand === null ? [] : [createChatSink({ template: alertCommand, env })]),
    ...alertWebhooks.map(({ kind, url }) =>
      createWebhookSink({ kind, url, instance, clock, secret: kind === "json" ? secret : null }),
    ),
    ...(alertmanagerUrl === null ? [] : [createAlertmanagerSink({ url: alertmanagerUrl, instance, clock })]),
  ];
}

/** The secret itself is in no message. */
function readSecret(given: string | null, file: string | null): WebhookSecret {
  const expected = "expected whsec_ and the base64 of 24 to 64 bytes (openssl rand -base64 32)";
  if (file !== null) {
    const secret = parseWebhookSecret(readSecretFile(file));
    if (secret === null) {
      throw new CoreError("usage", `--alert-secret-file: ${file} holds no usable secret, ${expected}`);
    }
    return secret;
  }
  if (given === null) {
    const how = "set CONTINUUM_ALERT_SECRET, or --alert-secret-file";
    throw new CoreError("usage", `json webhooks are signed, and there is no secret: ${how}; ${expected}`);
  }
  const secret = parseWebhookSecret(given);
  if (secret === null) throw new CoreError("usage", `CONTINUUM_ALERT_SECRET: can't be used, ${expected}`);
  return secret;
}

function readSecretFile(file: string): string {
  try {
    return readFileSync(file).subarray(0, MAX_SECRET_BYTES).toString("utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "it failed";
    throw new CoreError("usage", `--alert-secret-file: ${file} can't be read: ${why}`, { cause: error });
  }
}
