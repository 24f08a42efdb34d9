import type { PressureTrend } from "@continuum/wire-types";
import type { FillSample } from "./forecast-fill.js";
import { toBindingPressure } from "./pressure.js";
import type { PoolReading } from "./resource-pool.js";

interface Sample {
  readonly monotonicMs: number;
  readonly usedBytes: number;
  /** Null where the pressure is that of inodes. */
  readonly capacityBytes: number | null;
  readonly pressure: number;
}

/** Bounds of what is kept: an hour, give or take a third, and no more than this many readings. */
const KEPT_MS = 3_600_000;
const KEPT_SAMPLES = 2_400;

/** Over which times its growth is looked at for the next tick, and over how many steps at least. */
const CAUTION_MS = [15_000, 60_000];
const CAUTION_STEPS = 3;

/** A pool's readings of the last hour, for trends and forecasts. Stale and undetected ones don't count. */
export class ReadingHistory {
  #samples: Sample[] = [];

  /** Adds a reading; one without a pool behind it ends the history, and so does a clock that went back. */
  add(reading: PoolReading, monotonicMs: number): void {
    if (reading.stale) return;
    if (!reading.detected) {
      this.#samples = [];
      return;
    }
    const before = this.#samples.at(-1);
    if (before !== undefined && monotonicMs < before.monotonicMs) this.#samples = [];
    // Two readings of one moment have no rate between them: the newer one counts.
    if (monotonicMs === before?.monotonicMs) this.#samples.pop();
    const { binds, pressure } = toBindingPressure(reading);
    this.#samples.push({
      monotonicMs,
      usedBytes: reading.usedBytes,
      capacityBytes: binds === "bytes" ? reading.capacityBytes : null,
      pressure,
    });
    const { length } = this.#samples;
    const first = this.#samples.findIndex((sample) => sample.monotonicMs >= monotonicMs - KEPT_MS);
    const drop = Math.max(first, length - KEPT_SAMPLES);
    // Cut now and then, not at every reading: each sample is moved a bounded number of times.
    if (drop > length / 4 || length > KEPT_SAMPLES) this.#samples = this.#samples.slice(drop);
  }

  /** What is kept, oldest first, as shares of the newest capacity: a disk that grows hasn't been relieved. */
  get samples(): readonly FillSample[] {
    const capacityBytes = this.#samples.at(-1)?.capacityBytes ?? null;
    if (capacityBytes === null || this.#samples.every((sample) => sample.capacityBytes === capacityBytes))
      return this.#samples;
    return this.#samples.map((sample) => ({
      monotonicMs: sample.monotonicMs,
      pressure: (sample.pressure * (sample.capacityBytes ?? capacityBytes)) / capacityBytes,
    }));
  }

  /**
   * How long until the pressure is 1, in ms, at the faster of two rates: that of the last quarter of a minute, which sees
   * a fill that has just begun, and that of the last minute, which one quiet reading doesn't hide. Infinity where neither
   * grows. For caution, not for people: unlike a forecast it speaks of lumps and noise, too.
   */
  timeToFullMs(): number {
    const last = this.#samples.at(-1);
    if (last === undefined) return Infinity;
    const rates = CAUTION_MS.map((windowMs) => this.#rate(last, windowMs));
    const perMs = Math.max(...rates);
    return perMs > 0 ? Math.max(0, 1 - last.pressure) / perMs : Infinity;
  }

  /** Growth a ms over the window, or over so many readings where it holds fewer; 0 where that isn't known. */
  #rate(last: Sample, windowMs: number): number {
    let i = this.#samples.length - 1 - CAUTION_STEPS;
    while (i > 0 && (this.#samples[i - 1]?.monotonicMs ?? 0) >= last.monotonicMs - windowMs) i -= 1;
    const first = this.#samples[Math.max(0, i)] ?? last;
    const elapsedMs = last.monotonicMs - first.monotonicMs;
    return elapsedMs > 0 ? (last.pressure - first.pressure) / elapsedMs : 0;
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
