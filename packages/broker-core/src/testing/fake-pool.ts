import { toPressure } from "../pressure.js";
import {
  type EvictionRequest,
  type EvictionResult,
  NO_COUNTERS,
  type PoolReading,
  type ResourcePool,
} from "../resource-pool.js";

/** A reading with the given figures; detected, fresh, and with the pressure that follows from them. */
export function toReading(
  figures: Partial<PoolReading> & { readonly usedBytes: number; readonly capacityBytes: number },
): PoolReading {
  const pressure = toPressure(figures.usedBytes, figures.capacityBytes);
  return { atMs: 0, detected: true, stale: false, counters: NO_COUNTERS, pressure, ...figures };
}

/** A pool whose figures a test sets and whose ways of failing it chooses. */
export class FakePool implements ResourcePool {
  usedBytes: number;
  capacityBytes: number;
  detected = true;
  stale = false;
  /** What `evict` is asked, in order. */
  readonly requests: EvictionRequest[] = [];
  /** Replaces what reading does. */
  onRead: ((signal: AbortSignal) => Promise<PoolReading>) | null = null;
  /** Replaces what evicting does; by default everything that is wanted is freed. */
  onEvict: ((request: EvictionRequest) => Promise<EvictionResult>) | null = null;

  constructor(
    readonly name: string,
    { usedBytes, capacityBytes }: { readonly usedBytes: number; readonly capacityBytes: number },
  ) {
    this.usedBytes = usedBytes;
    this.capacityBytes = capacityBytes;
  }

  read(signal: AbortSignal): Promise<PoolReading> {
    if (this.onRead !== null) return this.onRead(signal);
    const { usedBytes, capacityBytes, detected, stale } = this;
    return Promise.resolve(toReading({ usedBytes, capacityBytes, detected, stale }));
  }

  entries(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  evict(request: EvictionRequest): Promise<EvictionResult> {
    this.requests.push(request);
    if (this.onEvict !== null) return this.onEvict(request);
    return Promise.resolve(this.free(request.wantBytes));
  }

  /** Frees bytes, as far as there are any, and claims them. */
  free(bytes: number): EvictionResult {
    const freed = Math.min(bytes, this.usedBytes);
    this.usedBytes -= freed;
    return {
      claimedBytes: freed,
      deleted: [],
      wouldDelete: [],
      dryRun: false,
      shortfall: freed < bytes ? "the pool is empty" : null,
    };
  }
}
