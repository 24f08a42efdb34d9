import { type Logger, pino } from "pino";

/** A log whose entries a test can look at. */
export function recordingLog(): { readonly log: Logger; readonly entries: Record<string, unknown>[] } {
  const entries: Record<string, unknown>[] = [];
  const write = (line: string): void => void entries.push(JSON.parse(line) as Record<string, unknown>);
  return { log: pino({ level: "trace" }, { write }), entries };
}
