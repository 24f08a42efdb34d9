import { type FillTrace, gap, gaussian, type NextLevel, perMs, seconds, trace } from "./fill-traces.js";

const clamp = (level: number): number => Math.min(0.98, Math.max(0.02, level));

/** What no forecast should be made of, for a seed. */
export function noiseTraces(seed: number): readonly FillTrace[] {
  const still = { from: 0.5, hours: 3, fills: false, looksFromMs: 0 };
  // Another phase for each seed, and each kind of wave.
  const wave = (seconds: number): FillTrace =>
    trace(`waves of ${seconds} s`, seed, still, (_level, atMs, _ms, random) => {
      const turns = atMs / 1000 / seconds + ((seed * 0.381966) % 1);
      return 0.5 + 0.05 * Math.sin(2 * Math.PI * turns) + 0.001 * gaussian(random);
    });
  const cleanWave = (period: number): FillTrace =>
    trace(
      `waves of ${period} s without noise, read every second`,
      seed,
      { ...still, hours: 1, tickMs: seconds(1) },
      (_level, atMs) => 0.5 + 0.1 * Math.sin(2 * Math.PI * (atMs / 1000 / period + ((seed * 0.381966) % 1))),
    );
  return [
    trace("flat", seed, still, (level) => level),
    trace(
      "flat, read in steps of 1 % that tremble",
      seed,
      still,
      (_level, _atMs, _ms, random) => 0.5 + (random() < 0.3 ? 0.01 : 0),
    ),
    trace("white noise of 1 %", seed, still, (_level, _atMs, _ms, random) => 0.5 + 0.01 * gaussian(random)),
    trace(
      "white noise of 0.01 %",
      seed,
      still,
      (_level, _atMs, _ms, random) => 0.5 + 0.0001 * gaussian(random),
    ),
    trace(
      "white noise in steps of 0.1 %",
      seed,
      still,
      (_level, _atMs, _ms, random) => 0.5 + Math.round(2 * gaussian(random)) / 1000,
    ),
    trace("a level that wanders about", seed, still, wander()),
    trace("random walk", seed, still, (level, _atMs, _ms, random) => clamp(level + 0.002 * gaussian(random))),
    trace("random walk in rare steps", seed, still, (level, _atMs, _ms, random) =>
      clamp(level + (random() < 0.05 ? 0.01 * gaussian(random) : 0)),
    ),
    ...[30, 60, 120, 300, 600].map(wave),
    ...[20, 90, 240].map(cleanWave),
    trace(
      "uniform noise of 5 %, read every second",
      seed,
      { ...still, hours: 1, tickMs: seconds(1) },
      (_l, _a, _m, random) => 0.45 + 0.1 * random(),
    ),
    trace(
      "random walk, read every second",
      seed,
      { ...still, hours: 1, tickMs: seconds(1) },
      (level, _atMs, _ms, random) => clamp(level + 0.01 * (2 * random() - 1)),
    ),
    trace(
      "random walk in equal steps, read every second, a minute of it seen",
      seed,
      { ...still, hours: 1, looksFromMs: 60_000, tickMs: seconds(1) },
      (level, _atMs, _ms, random) => clamp(level + (random() < 0.5 ? 0.002 : -0.002)),
    ),
    trace("bursts, flat between", seed, still, (level, _atMs, _ms, random) =>
      Math.min(0.98, level + (random() < 1 / 400 ? 0.03 : 0)),
    ),
    trace("one burst, then flat", seed, still, (level, atMs, ms) =>
      atMs <= 900_000 && atMs + ms > 900_000 ? level + 0.2 : level,
    ),
    trace("sawtooth of a relief", seed, { ...still, looksFromMs: 1_620_000 }, sawtooth(1)),
    trace("sawtooth of a slow relief", seed, { ...still, looksFromMs: 1_620_000 }, sawtooth(8)),
    trace(
      "white noise, the clock jumps by an hour",
      seed,
      { ...still, tickMs: gap(3_000_000, 3_600_000) },
      (_level, _atMs, _ms, random) => 0.5 + 0.002 * gaussian(random),
    ),
    trace(
      "flat, then higher after a gap",
      seed,
      { ...still, tickMs: gap(3_000_000, 600_000) },
      (level, _atMs, ms) => (ms > 60_000 ? level + 0.1 : level),
    ),
    trace(
      "a fill that ended two minutes ago",
      seed,
      { ...still, from: 0.2, hours: 2, looksFromMs: 1_920_000 },
      (level, atMs, ms, random) =>
        atMs < 1_800_000 ? level + perMs(0.5) * ms * (0.8 + 0.4 * random()) : level,
    ),
    trace("draining", seed, { ...still, from: 0.95 }, (level, _atMs, ms, random) =>
      Math.max(0.1, level - perMs(0.25) * ms * (0.5 + random())),
    ),
  ];
}

/** Drawn back to its mean within some minutes: an Ornstein-Uhlenbeck process. */
function wander(): NextLevel {
  return (level, _atMs, ms, random) => level + ((0.5 - level) * ms) / 300_000 + 0.003 * gaussian(random);
}

/** A steady fill that is relieved at 80 % down to 60 %, in so many readings, again and again. */
function sawtooth(readings: number): NextLevel {
  let isRelieving = false;
  return (level, _atMs, ms, random) => {
    if (level >= 0.8) isRelieving = true;
    else if (level < 0.6 + 0.1 / readings) isRelieving = false;
    return isRelieving ? level - 0.2 / readings : level + perMs(1.2) * ms * (0.8 + 0.4 * random());
  };
}
