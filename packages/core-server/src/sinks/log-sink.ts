import type { Logger } from "pino";
import type { AlertSink } from "./alert-sink.js";

/** One line in the log for one message; at `info`, as a terminal, which shows only warnings, has its own lines. */
export function createLogSink(log: Logger): AlertSink {
  return {
    kind: "log",
    target: "the structured log",
    deadlineMs: 1_000,
    deliver: ({ episodeId, kind, messageCount, alert, text }) => {
      log.info({ episodeId, kind, messageCount, alert }, text);
      return Promise.resolve();
    },
  };
}
