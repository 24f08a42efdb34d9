import type { Trace, TraceImage } from "./make-traces.js";

/** An image on the host, with what a cache policy may go by. */
export interface HostImage {
  readonly image: TraceImage;
  readonly arrivedAtMs: number;
  readonly lastUsedAtMs: number;
}

/** What an eviction is asked. */
export interface HostState {
  readonly nowMs: number;
  readonly present: readonly HostImage[];
  /** The image that runs right now: it can't go. */
  readonly runningId: string;
  readonly wantBytes: number;
}

/** A way to evict: gives images in the order in which they go; the host stops as soon as enough is free. */
export interface CachePolicy {
  readonly name: string;
  /** Told of every use. */
  readonly onUse?: (image: TraceImage, atMs: number) => void;
  readonly onGone?: (image: TraceImage) => void;
  readonly evict: (state: HostState) => readonly TraceImage[];
  /** Whether all that it names goes, needed or not. */
  readonly goesAllTheWay?: boolean;
}

/** What a trace cost. */
export interface HostCost {
  /** Bytes of layers that had been here before and were fetched again. */
  readonly refetchedBytes: number;
  /** Bytes that were fetched for the first time: the same for every policy. */
  readonly firstBytes: number;
  readonly evictions: number;
}

const ACT_ABOVE = 0.8;
const TARGET = 0.6;

/** Plays a trace on a host with a disk of a size, and counts what had to be fetched. */
export function simulateHost(trace: Trace, policy: CachePolicy, capacityBytes: number): HostCost {
  const present = new Map<string, HostImage>();
  const owners = new Map<string, number>();
  const seen = new Set<string>();
  let usedBytes = 0;
  let refetchedBytes = 0;
  let firstBytes = 0;
  let evictions = 0;
  const remove = (image: TraceImage): void => {
    if (!present.delete(image.id)) return;
    for (const { id, bytes } of image.layers) {
      const left = (owners.get(id) ?? 0) - 1;
      owners.set(id, left);
      if (left === 0) usedBytes -= bytes;
    }
    policy.onGone?.(image);
  };
  for (const { atMs, image } of trace.uses) {
    const there = present.get(image.id);
    if (there === undefined) {
      for (const { id, bytes } of image.layers) {
        const holders = owners.get(id) ?? 0;
        owners.set(id, holders + 1);
        if (holders > 0) continue;
        usedBytes += bytes;
        if (seen.has(id)) refetchedBytes += bytes;
        else firstBytes += bytes;
        seen.add(id);
      }
    }
    present.set(image.id, { image, arrivedAtMs: there?.arrivedAtMs ?? atMs, lastUsedAtMs: atMs });
    policy.onUse?.(image, atMs);
    if (usedBytes <= ACT_ABOVE * capacityBytes) continue;
    evictions++;
    const goalBytes = TARGET * capacityBytes;
    const state = {
      nowMs: atMs,
      present: [...present.values()],
      runningId: image.id,
      wantBytes: Math.ceil(usedBytes - goalBytes),
    };
    for (const each of policy.evict(state)) {
      if (usedBytes <= goalBytes && policy.goesAllTheWay !== true) break;
      if (each.id !== image.id) remove(each);
    }
  }
  return { refetchedBytes, firstBytes, evictions };
}

/** Bytes of all layers of a trace, each once. */
export function bytesOfTrace(trace: Trace): number {
  const layers = new Map(
    trace.uses.flatMap(({ image }) => image.layers.map(({ id, bytes }) => [id, bytes] as const)),
  );
  return [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of an image's layers. */
export function bytesOfImage({ layers }: TraceImage): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0);
}
