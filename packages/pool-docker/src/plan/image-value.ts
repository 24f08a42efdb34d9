import type { ImageUse } from "../journal/image-use.js";
import type { InventoryImage } from "./docker-inventory.js";

/** Uses that are looked at: as many as the journal keeps. */
const MAX_USES = 8;
/** Nothing was used less than this ago, as far as rates go: what just began has no rate yet. */
const MIN_AGO_MS = 10 * 60_000;
/** A newer image of the same repository is there: this one is usually not wanted again. */
const SUPERSEDED = 0.25;
/** Nobody has its name: nobody will ask for it. */
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
 * How often an image is expected to be used, per millisecond, from when it was used lately.
 *
 * The k-th newest use, t ago, speaks for a rate of k / t; the mean over the newest eight weighs recency (k = 1 alone is
 * what LRU goes by) with frequency (k = 8), and lets what was used once fall behind what is used again and again. What
 * was never seen in use counts as half a use when it came.
 */
export function expectedUseRate(image: InventoryImage, use: ImageUse | undefined, nowMs: number): number {
  const agoMs = (atMs: number): number => Math.max(MIN_AGO_MS, nowMs - atMs);
  const uses = use?.recentUsesMs ?? [];
  const arrivedAtMs = Math.max(image.arrivedAtMs ?? 0, image.taggedAtMs ?? 0) || (image.createdAtMs ?? nowMs);
  if (uses.length === 0) return 0.5 / agoMs(arrivedAtMs) / MAX_USES;
  let rate = 0;
  uses.slice(0, MAX_USES).forEach((atMs, i) => (rate += (i + 1) / agoMs(atMs)));
  return rate / MAX_USES;
}

/** What losing the image is expected to cost for each byte that would have to be fetched again; comparable, no unit. */
export function lossRate(image: InventoryImage, context: ValueContext): number {
  const { use, isSuperseded, isRecoverable, nowMs } = context;
  const rate = expectedUseRate(image, use, nowMs);
  const wanted = image.tags.length === 0 ? DANGLING : isSuperseded ? SUPERSEDED : 1;
  const buildBytes = (use?.buildMs ?? 0) * BUILD_BYTES_PER_MS;
  const build = 1 + buildBytes / Math.max(1, image.sizeBytes);
  return rate * wanted * (isRecoverable ? 1 : Math.max(IRRECOVERABLE, build));
}
