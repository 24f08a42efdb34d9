import { toPressure } from "../pressure.js";
import type { PoolPolicy } from "../pool-policy.js";
import {
  type EvictionRequest,
  type EvictionResult,
  NO_COUNTERS,
  type PoolReading,
  type ResourcePool,
} from "../resource-pool.js";

/** How reading goes: as it should, or not. */
export const READ_MODES = [
  "honest",
  "late",
  "hangs",
  "ignores its signal",
  "throwsAtOnce",
  "rejects",
  "stale",
  "impossible",
  "undetected",
] as const;
/** How evicting goes. */
export const EVICT_MODES = [
  "honest",
  "frees half",
  "lies",
  "frees nothing",
  "late",
  "hangs",
  "ignores its signal",
  "throwsAtOnce",
  "rejects",
  "grows meanwhile",
] as const;

const CAPACITY_BYTES = 1_000_000;
/** A figure that is older than this when an eviction begins is one of before. */
const FRESH_FOR_MS = 3_000;

/** A pool that misbehaves as it is told, and notices when the broker breaks a rule. */
export class ModelPool implements ResourcePool {
  usedBytes = 0;
  capacityBytes = CAPACITY_BYTES;
  reclaimableBytes: number | null = null;
  readMode: (typeof READ_MODES)[number] = "honest";
  evictMode: (typeof EVICT_MODES)[number] = "honest";
  /** Rules that the broker broke, in words. */
  readonly violations: string[] = [];
  evictionsBegun = 0;
  #evicting = 0;
  /** The newest reading that was given out. */
  #given: PoolReading | null = null;
  /** When it was measured. */
  #givenAtMs = -Infinity;
  /** Whether a relief has begun and no reading has shown the pool calm since. */
  #isRelieving = false;

  constructor(
    readonly name: string,
    private readonly policy: PoolPolicy,
    /** Resolves after so many ms of the broker's time. */
    private readonly after: (ms: number) => Promise<void>,
    /** The broker's time. */
    private readonly monotonicMs: () => number,
  ) {}

  get pressure(): number {
    return toPressure(this.usedBytes, this.capacityBytes);
  }

  fill(ratio: number): void {
    this.usedBytes = Math.round(this.capacityBytes * ratio);
  }

  read(signal: AbortSignal): Promise<PoolReading> {
    switch (this.readMode) {
      case "honest":
        return Promise.resolve(this.#give({}));
      case "late":
        return this.#measureNowAndAnswerAfter(2_000);
      case "hangs":
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
        });
      case "ignores its signal":
        return this.#measureNowAndAnswerAfter(20_000);
      case "throwsAtOnce":
        throw new Error("a bug of the pool");
      case "rejects":
        return Promise.reject(new Error("the engine is away"));
      case "stale":
        return Promise.resolve(this.#give({ stale: true }));
      case "impossible":
        return Promise.resolve({ ...this.#figures(), usedBytes: -1 });
      case "undetected":
        return Promise.resolve(
          this.#give({
            detected: false,
            capacityBytes: 0,
            usedBytes: 0,
            pressure: 0,
            reclaimableBytes: null,
          }),
        );
    }
  }

  entries(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async evict({ wantBytes, signal }: EvictionRequest): Promise<EvictionResult> {
    this.#check(wantBytes);
    this.evictionsBegun += 1;
    this.#evicting += 1;
    try {
      return await this.#evict(wantBytes, signal);
    } finally {
      this.#evicting -= 1;
    }
  }

  #check(wantBytes: number): void {
    const given = this.#given;
    if (this.#evicting > 0) this.violations.push("two evictions of one pool at once");
    if (given === null || given.stale || !given.detected) {
      this.violations.push("an eviction without a fresh reading before it");
      return;
    }
    if (this.monotonicMs() - this.#givenAtMs > FRESH_FOR_MS)
      this.violations.push("an eviction on a reading of before");
    const { actAbove, stopBelow } = this.policy;
    const isDue = given.pressure >= actAbove || (this.#isRelieving && given.pressure > stopBelow);
    if (!isDue) this.violations.push(`an eviction at ${given.pressure}`);
    if (wantBytes > (given.reclaimableBytes ?? Infinity))
      this.violations.push("more wanted than can be reclaimed");
    if (wantBytes > given.usedBytes) this.violations.push("more wanted than there is");
    this.#isRelieving = true;
  }

  async #evict(wantBytes: number, signal: AbortSignal): Promise<EvictionResult> {
    switch (this.evictMode) {
      case "honest":
        return this.#free(wantBytes);
      case "frees half":
        return this.#free(Math.floor(wantBytes / 2));
      case "lies":
        return { ...this.#free(0), claimedBytes: wantBytes };
      case "frees nothing":
        return this.#free(0);
      case "late":
        await this.after(30_000);
        return this.#free(wantBytes);
      case "hangs":
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
        });
        return this.#free(0);
      case "ignores its signal":
        await this.after(3_600_000);
        return this.#free(wantBytes);
      case "throwsAtOnce":
        throw new Error("a bug of the pool");
      case "rejects":
        await this.after(1);
        throw new Error("the engine is away");
      case "grows meanwhile":
        this.usedBytes += 10_000;
        return { ...this.#free(0), claimedBytes: wantBytes };
    }
  }

  #free(bytes: number): EvictionResult {
    const freed = Math.min(bytes, this.usedBytes);
    this.usedBytes -= freed;
    return { claimedBytes: freed, deleted: [], wouldDelete: [], dryRun: false, shortfall: null };
  }

  #figures(): PoolReading {
    const { usedBytes, capacityBytes, pressure, reclaimableBytes } = this;
    return {
      atMs: 0,
      detected: true,
      capacityBytes,
      usedBytes,
      pressure,
      reclaimableBytes,
      stale: false,
      counters: NO_COUNTERS,
    };
  }

  #give(more: Partial<PoolReading>): PoolReading {
    return this.#handOut({ ...this.#figures(), ...more }, this.monotonicMs());
  }

  async #measureNowAndAnswerAfter(ms: number): Promise<PoolReading> {
    const [reading, atMs] = [this.#figures(), this.monotonicMs()];
    await this.after(ms);
    return this.#handOut(reading, atMs);
  }

  #handOut(reading: PoolReading, atMs: number): PoolReading {
    this.#given = reading;
    this.#givenAtMs = atMs;
    if (!reading.stale && reading.pressure <= this.policy.stopBelow) this.#isRelieving = false;
    return reading;
  }
}
