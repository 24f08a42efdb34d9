/** The newest API whose documentation the calls here were held against. */
const NEWEST_API_VERSION = "1.55";

/** Below this the engine prunes build cache without regard to what is to be kept. */
export const OLDEST_API_VERSION = "1.39";

/** Orders versions by number, not by text (1.9 < 1.41); negative when `a` is older. */
export function compareApiVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map(Number);
  const [bMajor = 0, bMinor = 0] = b.split(".").map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

/** Whether a text has the form of a version. */
export function isApiVersion(text: string): boolean {
  return /^\d{1,3}\.\d{1,4}$/.test(text);
}

/** The version to speak with an engine whose newest is `offered`. */
export function negotiateApiVersion(offered: string): string {
  return compareApiVersions(offered, NEWEST_API_VERSION) < 0 ? offered : NEWEST_API_VERSION;
}
