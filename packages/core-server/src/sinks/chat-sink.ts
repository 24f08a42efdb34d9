import type { AlertSink } from "./alert-sink.js";
import { fillCommand } from "./command-template.js";
import { runCommand } from "./run-command.js";

const TIMEOUT_MS = 10_000;
const GRACE_MS = 2_000;
/** Variables of the core that no other program needs to see. */
export const SECRET_VARIABLES = [
  "CONTINUUM_TOKEN",
  "CONTINUUM_ALERT_SECRET",
  "CONTINUUM_ALERT_WEBHOOKS",
  "CONTINUUM_ALERTMANAGER_URL",
];

/** What a chat sink needs. */
export interface ChatSinkOptions {
  /** The program and its arguments, with `{text}` in some of them. */
  readonly template: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long the program may take, and then take to end, in ms; 10 s and 2 s when left out. */
  readonly timeoutMs?: number;
  readonly graceMs?: number;
}

/** Says each message, in one line, through a program that knows the chat. */
export function createChatSink({
  template,
  env,
  timeoutMs = TIMEOUT_MS,
  graceMs = GRACE_MS,
}: ChatSinkOptions): AlertSink {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET_VARIABLES.includes(name)));
  return {
    kind: "chat",
    target: template[0] ?? "",
    // Beyond what the program is given: who ends it needs a moment too.
    deadlineMs: timeoutMs + graceMs + 3_000,
    deliver: ({ text }, signal) =>
      runCommand({ argv: fillCommand(template, text), env: own, timeoutMs, graceMs, signal }),
  };
}
