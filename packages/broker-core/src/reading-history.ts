import type { PressureTrend } from "@continuum/wire-types";
import type { FillSample } from "./forecast-fill.js";
import { toBindingPressure } from "./pressure.js";
import type { PoolReading } from "./resource-pool.js";

interface Sample {
  readonly monotonicMs: number;
  readonly usedBytes: number;
  readonly pressure: number;
}

/** Bounds of what is kept: half an hour, and no more than this many readings. */
const KEPT_MS = 1_800_000;
const KEPT_SAMPLES = 2_400;

/** A pool's readings of the last half hour, for trends and forecasts. Stale and undetected ones don't count. */
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

  /** What is kept, oldest first. */
  get samples(): readonly FillSample[] {
    return this.#samples;
  }

  /** How long until the pressure is 1 if it goes on as between the last two readings, in ms; Infinity when it doesn't grow. */
  timeToFullMs(): number {
    const last = this.#samples.at(-1);
    const before = this.#samples.at(-2);
    if (last === undefined || before === undefined) return Infinity;
    const growth = last.pressure - before.pressure;
    const elapsedMs = last.monotonicMs - before.monotonicMs;
    return growth > 0 && elapsedMs > 0 ? (Math.max(0, 1 - last.pressure) / growth) * elapsedMs : Infinity;
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
