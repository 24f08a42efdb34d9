import type { ImageUse } from "../journal/image-use.js";
import type { InventoryImage } from "./docker-inventory.js";

/** What was seen in use once counts as this much of a use in all the time since. */
const ONCE = 1;
/** What was never seen in use, in all the time since it came. */
const NEVER_SEEN = 0.5;
/** So many times the usual time from use to use may pass before an image is given up. */
const PATIENCE = 2;
/** How fast it is given up then. */
const GIVING_UP = 1.2;
/** The next use of something that is used like clockwork comes within this share of its time, at its end. */
const MOST_REGULAR = 0.9;
/** Time that nobody watched counts as this much time without use: it is no evidence of use, nor of none. */
const UNWATCHED = 0.5;
/** Nothing was used less than this ago, as far as rates go: what just began has no rate yet. */
const MIN_AGO_MS = 10 * 60_000;
/** A newer image of the same repository is there: this one is usually not wanted again. */
const SUPERSEDED = 0.1;
/** Nobody has its name, or a newer one has taken it: nobody will ask for it. */
const DANGLING = 0.001;
/** Nothing is known to bring it back. */
const IRRECOVERABLE = 4;
/** What a build's time counts against bytes to pull, at the speed of a common line: bytes per millisecond. */
const BUILD_BYTES_PER_MS = 20_000;
/** A pull costs time beside its bytes: counted as bytes. */
export const PULL_OVERHEAD_BYTES = 4_000_000;

/** What a value is judged by beside the image itself. */
export interface ValueContext {
  readonly use: ImageUse | undefined;
  readonly isSuperseded: boolean;
  readonly isRecoverable: boolean;
  readonly nowMs: number;
}

/**
 * How soon an image is expected to be used again, as a rate per millisecond, from when it was used lately.
 *
 * From use to use it took some time on the average. Where it took about the same each time, what was just used isn't
 * wanted again before that time has passed; where it varied, the next use may come at any time. What hasn't been used for
 * much longer than it ever took is given up, the sooner the longer. What was used once, or never seen in use, is
 * judged by how long ago that was, or how long ago it came.
 */
export function expectedUseRate(
  image: InventoryImage,
  use: ImageUse | undefined,
  nowMs: number,
  isSuperseded = false,
): number {
  const agoMs = (atMs: number): number => Math.max(MIN_AGO_MS, nowMs - atMs);
  const idleMs = (sinceMs: number): number => {
    const unwatchedMs = Math.max(0, (use?.unwatchedUntilMs ?? 0) - sinceMs);
    return Math.max(MIN_AGO_MS, nowMs - sinceMs - (1 - UNWATCHED) * unwatchedMs);
  };
  const uses = use?.recentUsesMs ?? [];
  const arrivedAtMs = Math.max(image.arrivedAtMs ?? 0, image.taggedAtMs ?? 0) || (image.createdAtMs ?? nowMs);
  const [newestMs] = uses;
  if (newestMs === undefined) return NEVER_SEEN / idleMs(arrivedAtMs);
  const gaps = uses.slice(1).map((atMs, i) => Math.max(MIN_AGO_MS, (uses[i] ?? atMs) - atMs));
  // How often it was used while it was current says nothing of what comes after.
  if (gaps.length === 0 || isSuperseded) return ONCE / idleMs(newestMs);
  const meanMs = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - meanMs) ** 2, 0) / gaps.length;
  // Few gaps say little of how regular they are.
  const regularity = Math.max(0, 1 - Math.sqrt(variance) / meanMs) * (1 - 1 / (gaps.length + 1));
  const idle = agoMs(newestMs) / meanMs;
  // It comes nearer until it is due; what is overdue may come at any time again.
  const nearness = idle <= 1 ? idle : Math.max(0, 2 - idle);
  const untilNextMs = meanMs * (1 - MOST_REGULAR * regularity * nearness);
  const life = Math.min(1, (PATIENCE * meanMs) / idleMs(newestMs)) ** GIVING_UP;
  return life / untilNextMs;
}

/** What losing the image is expected to cost for each byte that would have to be fetched again; comparable, no unit. */
export function lossRate(image: InventoryImage, context: ValueContext): number {
  const { use, isSuperseded, isRecoverable, nowMs } = context;
  const rate = expectedUseRate(image, use, nowMs, isSuperseded);
  const isNameless = image.tags.length === 0 && (image.digests.length === 0 || isSuperseded);
  const wanted = isNameless ? DANGLING : isSuperseded ? SUPERSEDED : 1;
  const buildBytes = (image.buildMs ?? 0) * BUILD_BYTES_PER_MS;
  const build = 1 + buildBytes / Math.max(1, image.sizeBytes);
  return rate * wanted * (isRecoverable ? 1 : Math.max(IRRECOVERABLE, build));
}
