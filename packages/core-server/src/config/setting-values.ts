import { isAbsolute } from "node:path";

/** The largest count that a setting takes. */
export const MAX_COUNT = 1_000_000;
const MAX_PATTERNS = 1_000;

/** One of the words that are allowed. */
export const oneOf =
  <T extends string>(allowed: readonly T[]) =>
  (text: string): T | null =>
    allowed.find((each) => each === text) ?? null;

/** A whole number from 0 to `MAX_COUNT`. */
export function parseCount(text: string): number | null {
  const value = /^\d+$/u.test(text) ? Number(text) : -1;
  return value >= 0 && value <= MAX_COUNT ? value : null;
}

/** Patterns of references, by commas. */
export function parsePatterns(text: string): readonly string[] | null {
  const patterns = text.split(",").map((each) => each.trim());
  const areUsable = patterns.every((each) => /^[\w./:@*?-]+$/u.test(each));
  return areUsable && patterns.length <= MAX_PATTERNS ? patterns : null;
}

/** An absolute path. */
export function parseAbsolutePath(text: string): string | null {
  return isAbsolute(text) && !text.includes("\0") ? text : null;
}
