import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "./config/core-config.js";
import { formatLogLine } from "./face/terminal-log.js";

/** Where the log goes and how much of it. */
export interface LogTarget {
  /** Null: `warn` on a terminal, `info` elsewhere. */
  readonly level: LogLevel | null;
  readonly isTerminal: boolean;
  /** Prints one line; on a terminal it must not tear the live status. */
  readonly writeLine: (line: string) => void;
}

/**
 * The structured log: JSON lines with ISO times for a file or a journal, short text for a person at a terminal.
 * Written at once, so that the last lines of a core that dies are there.
 */
export function createLogger({ level, isTerminal, writeLine }: LogTarget): Logger {
  const destination: DestinationStream = {
    write: (line) => writeLine(isTerminal ? formatLogLine(line) : line.trimEnd()),
  };
  return pino(
    {
      level: level ?? (isTerminal ? "warn" : "info"),
      base: { name: "continuum-core", pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
