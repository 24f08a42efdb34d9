import type { PressureTrend } from "@continuum/wire-types";
import { toBindingPressure } from "./pressure.js";
import type { PoolReading } from "./resource-pool.js";

interface Sample {
  readonly monotonicMs: number;
  readonly usedBytes: number;
  readonly pressure: number;
}

/** Bounds of what is kept: ten minutes, and no more than this many readings. */
const KEPT_MS = 600_000;
const KEPT_SAMPLES = 2_400;

/** A pool's readings of the last ten minutes, for trends. Stale and undetected ones don't count. */
export class ReadingHistory {
  #samples: Sample[] = [];

  /** Adds a reading; one without a pool behind it ends the history. */
  add(reading: PoolReading, monotonicMs: number): void {
    if (reading.stale) return;
    if (!reading.detected) {
      this.#samples = [];
      return;
    }
    this.#samples.push({
      monotonicMs,
      usedBytes: reading.usedBytes,
      pressure: toBindingPressure(reading).pressure,
    });
    const first = this.#samples.findIndex((sample) => sample.monotonicMs >= monotonicMs - KEPT_MS);
    const drop = Math.max(first, this.#samples.length - KEPT_SAMPLES);
    // Cut now and then, not at every reading: each sample is moved a bounded number of times.
    if (drop > KEPT_SAMPLES / 4 || this.#samples.length > KEPT_SAMPLES)
      this.#samples = this.#samples.slice(drop);
  }

  /** From the first to the last reading of the window; null when it holds fewer than two. */
  trend(name: string, windowMs: number, monotonicMs: number): PressureTrend | null {
    const first = this.#samples.find((sample) => sample.monotonicMs >= monotonicMs - windowMs);
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return null;
    const elapsedMs = last.monotonicMs - first.monotonicMs;
    if (elapsedMs <= 0) return null;
    return {
      name,
      windowMs: Math.round(elapsedMs),
      fromPressure: first.pressure,
      toPressure: last.pressure,
      bytesPerSecond: ((last.usedBytes - first.usedBytes) * 1000) / elapsedMs,
    };
  }
}
