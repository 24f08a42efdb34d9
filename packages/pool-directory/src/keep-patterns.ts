/** A file of this name within an entry keeps it. */
export const KEEP_FILE = ".continuum-keep";

/** Whether a key matches one of the patterns: `*` is any text, `?` one character, all else itself. */
export function createKeepMatcher(patterns: readonly string[]): (key: string) => string | null {
  const compiled = patterns.map((pattern) => ({ pattern, test: toRegExp(pattern) }));
  return (key) => compiled.find(({ test }) => test.test(key))?.pattern ?? null;
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replace(/[\\^$.*+?()[\]{}|]/gu, "\\$&");
  // Runs of stars are one: nested ones would take exponential time.
  return new RegExp(`^${escaped.replace(/(?:\\\*)+/gu, ".*").replaceAll("\\?", ".")}$`, "su");
}
