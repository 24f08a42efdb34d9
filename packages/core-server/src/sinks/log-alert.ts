import type { AlertMessage } from "@continuum/wire-types";
import type { Logger } from "pino";

/** One line in the log for one message; at `info`, as a terminal, which shows only warnings, has its own lines. */
export function logAlert(log: Logger, { episodeId, kind, messageCount, alert, text }: AlertMessage): void {
  log.info({ episodeId, kind, messageCount, alert }, text);
}
