import { toPrintable } from "@continuum/wire-types";

/**
 * A structured log line as a person at a terminal reads it: `warn: text (module)`; a line that isn't JSON stays as it is.
 */
export function formatLogLine(line: string): string {
  const text = line.trimEnd();
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof entry !== "object" || entry === null) return text;
  const { level, msg, module } = entry as Record<string, unknown>;
  const origin = typeof module === "string" ? ` (${module})` : "";
  return toPrintable(
    `${typeof level === "string" ? level : "log"}: ${typeof msg === "string" ? msg : text}${origin}`,
  );
}
