/** One reading of a synthetic or recorded fill. */
export interface TracePoint {
  readonly atMs: number;
  readonly pressure: number;
}

/** A fill (or what only looks like one), and what is true of it. */
export interface FillTrace {
  readonly name: string;
  readonly points: readonly TracePoint[];
  /** When it really is full, in ms of the trace; null for one that never will be. */
  readonly fullAtMs: number | null;
  /** From when on the fill is steady, in ms: a forecast has had time to see it. */
  readonly steadyFromMs: number;
}

/** Numbers of [0, 1), the same for the same seed (mulberry32). */
function traceRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TICK_MS = 5_000;
const HOUR_MS = 3_600_000;
/** How long a forecast may take to see a fill: so long is one watched before it counts as steady. */
const SEEN_MS = 180_000;

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A trace of readings, one every five seconds give or take a fifth of a second, of a level that `next` moves on. */
function trace(
  name: string,
  seed: number,
  options: {
    readonly from: number;
    readonly hours: number;
    readonly fills: boolean;
    readonly steadyFromMs?: number;
  },
  next: (level: number, atMs: number, stepMs: number, random: () => number) => number,
): FillTrace {
  const random = traceRandom(seed);
  const points: TracePoint[] = [];
  let level = options.from;
  let fullAtMs: number | null = null;
  for (let atMs = 0; atMs < options.hours * HOUR_MS && level < 1;) {
    points.push({ atMs, pressure: Math.max(0, level) });
    const stepMs = TICK_MS + (random() - 0.5) * 400;
    const before = level;
    level = next(level, atMs, stepMs, random);
    atMs += stepMs;
    if (level >= 1) fullAtMs = atMs - stepMs + (stepMs * (1 - before)) / (level - before);
  }
  return {
    name,
    points,
    fullAtMs: options.fills ? fullAtMs : null,
    steadyFromMs: options.steadyFromMs ?? SEEN_MS,
  };
}

const perMs = (ratioPerHour: number): number => ratioPerHour / HOUR_MS;

/** Fills that a forecast should see, for a seed. */
export function steadyTraces(seed: number): readonly FillTrace[] {
  return [
    trace("steady", seed, { from: 0.2, hours: 2, fills: true }, (level, _, ms) => level + perMs(0.5) * ms),
    trace(
      "steady, rate jitters by half",
      seed,
      { from: 0.2, hours: 2, fills: true },
      (level, _, ms, random) => {
        return level + perMs(0.5) * ms * (0.5 + random());
      },
    ),
    trace(
      "steady in chunks of 4 MiB on 10 GB",
      seed,
      { from: 0.3, hours: 3, fills: true },
      (level, _, ms, random) => {
        const chunk = (4 * 2 ** 20) / 1e10;
        const mean = (perMs(0.4) * ms) / chunk;
        return level + chunk * Math.max(0, Math.round(mean + Math.sqrt(mean) * gaussian(random)));
      },
    ),
    trace(
      "steady, level noise of 0.05 %",
      seed,
      { from: 0.2, hours: 2, fills: true },
      noisyClimb(0.5, 0.0005),
    ),
    trace(
      "fast, full in five minutes",
      seed,
      { from: 0.3, hours: 1, fills: true, steadyFromMs: 120_000 },
      (level, _, ms, random) => {
        return level + perMs(8.4) * ms * (0.8 + 0.4 * random());
      },
    ),
    trace(
      "one burst of 5 % within a steady fill",
      seed,
      { from: 0.2, hours: 2, fills: true, steadyFromMs: 960_000 },
      burstWithin(),
    ),
    trace(
      "rate doubles",
      seed,
      { from: 0.2, hours: 2, fills: true, steadyFromMs: 1_500_000 },
      (level, atMs, ms, random) => {
        return level + perMs(atMs < 900_000 ? 0.4 : 0.8) * ms * (0.8 + 0.4 * random());
      },
    ),
    trace(
      "relieved once, then a steady fill",
      seed,
      { from: 0.5, hours: 3, fills: true, steadyFromMs: 2_400_000 },
      relievedOnce(),
    ),
  ];
}

/** What no forecast should be made of, for a seed. */
export function noiseTraces(seed: number): readonly FillTrace[] {
  const still = { from: 0.5, hours: 3, fills: false };
  return [
    trace("flat", seed, still, (level) => level),
    trace("white noise of 1 %", seed, still, (_, __, ___, random) => 0.5 + 0.01 * gaussian(random)),
    trace("random walk", seed, still, (level, _, __, random) =>
      Math.min(0.98, Math.max(0.02, level + 0.002 * gaussian(random))),
    ),
    trace("bursts, flat between", seed, still, (level, _, __, random) =>
      Math.min(0.98, level + (random() < 1 / 400 ? 0.03 : 0)),
    ),
    trace("one burst, then flat", seed, still, (level, atMs, ms) =>
      atMs <= 900_000 && atMs + ms > 900_000 ? level + 0.2 : level,
    ),
    trace(
      "waves of two minutes",
      seed,
      still,
      (_, atMs, __, random) => 0.5 + 0.05 * Math.sin(atMs / 19_099) + 0.001 * gaussian(random),
    ),
    trace(
      "quantised to 1 %, trembling",
      seed,
      still,
      (_, __, ___, random) => 0.5 + (random() < 0.3 ? 0.01 : 0),
    ),
    trace("draining", seed, { ...still, from: 0.95 }, (level, _, ms, random) =>
      Math.max(0.1, level - perMs(0.25) * ms * (0.5 + random())),
    ),
  ];
}

function noisyClimb(ratioPerHour: number, sigma: number): Parameters<typeof trace>[3] {
  let clean: number | null = null;
  return (level, _, ms, random) => {
    clean = (clean ?? level) + perMs(ratioPerHour) * ms;
    return clean >= 1 ? clean : Math.min(0.999, clean + sigma * gaussian(random));
  };
}

function burstWithin(): Parameters<typeof trace>[3] {
  return (level, atMs, ms, random) => {
    const burst = atMs <= 900_000 && atMs + ms > 900_000 ? 0.05 : 0;
    return level + burst + perMs(0.4) * ms * (0.8 + 0.4 * random());
  };
}

function relievedOnce(): Parameters<typeof trace>[3] {
  let isRelieved = false;
  return (level, _, ms, random) => {
    if (level > 0.8 && !isRelieved) {
      isRelieved = true;
      return 0.6;
    }
    return level + perMs(0.5) * ms * (0.8 + 0.4 * random());
  };
}
