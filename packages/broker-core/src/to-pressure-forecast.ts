import type { PressureForecast } from "@continuum/wire-types";
import { forecastFill } from "./forecast-fill.js";
import type { PoolSlot } from "./pool-slot.js";
import { toBindingPressure } from "./pressure.js";

/** When a pool will be full, for the wire; `atMs` is when it was last read. */
export function toPressureForecast({ pool, reading, history }: PoolSlot, atMs: number): PressureForecast {
  const silent = { bytesPerSecond: null, timeToFullMs: null, fullAtMs: null };
  if (reading === null || !reading.detected) return { name: pool.name, atMs, ...silent, basis: "undetected" };
  const { basis, perMs, timeToFullMs } = forecastFill(history.samples);
  // The growth of inodes is none of bytes.
  const isBytes = toBindingPressure(reading).binds === "bytes";
  const inMs = timeToFullMs === null ? null : Math.round(Math.min(timeToFullMs, MAX_MS));
  return {
    name: pool.name,
    atMs,
    bytesPerSecond: perMs === null || !isBytes ? null : perMs * 1000 * reading.capacityBytes,
    timeToFullMs: inMs,
    fullAtMs: inMs === null ? null : Math.round(atMs) + inMs,
    basis,
  };
}

/** Ten years: beyond that, it is no forecast. */
const MAX_MS = 10 * 365 * 86_400_000;
