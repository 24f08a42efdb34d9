import { seededRandom } from "../seeded-random.js";

/** One reading of a synthetic or recorded fill. */
export interface TracePoint {
  readonly atMs: number;
  /** As it is read. */
  readonly pressure: number;
  /** As it is. */
  readonly level: number;
}

/** A fill (or what only looks like one), and what is true of it. */
export interface FillTrace {
  readonly name: string;
  readonly points: readonly TracePoint[];
  /** When it really is full, in ms of the trace; null for one that never will be. */
  readonly fullAtMs: number | null;
  /** Of what is no fill: from when on it looks as its name says. Of a fill 0. */
  readonly looksFromMs: number;
}

/** A normal deviate. */
export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const TICK_MS = 5_000;
const HOUR_MS = 3_600_000;

/** How a trace goes on: the level after `stepMs`, from `level` at `atMs`. */
export type NextLevel = (level: number, atMs: number, stepMs: number, random: () => number) => number;

/** What a trace is made with. */
export interface TraceOptions {
  readonly from: number;
  readonly hours: number;
  readonly fills: boolean;
  readonly looksFromMs?: number;
  /** How a level is read: quantised, trembling. As it is when left out. */
  readonly read?: (level: number, random: () => number) => number;
  /** How long until the next reading; five seconds give or take a fifth of one when left out. */
  readonly tickMs?: (level: number, atMs: number, random: () => number) => number;
}

function usualTickMs(_level: number, _atMs: number, random: () => number): number {
  return TICK_MS + (random() - 0.5) * 400;
}

/** A trace of readings of a level that `next` moves on. */
export function trace(name: string, seed: number, options: TraceOptions, next: NextLevel): FillTrace {
  const { from, hours, fills, looksFromMs = 0 } = options;
  const read = options.read ?? ((level: number) => level);
  const tickMs = options.tickMs ?? usualTickMs;
  const random = seededRandom(seed);
  const points: TracePoint[] = [];
  let level = from;
  let fullAtMs: number | null = null;
  for (let atMs = 0; atMs < hours * HOUR_MS && level < 1;) {
    points.push({ atMs, pressure: Math.max(0, read(level, random)), level });
    const stepMs = tickMs(level, atMs, random);
    const before = level;
    level = next(level, atMs, stepMs, random);
    atMs += stepMs;
    if (level >= 1) fullAtMs = atMs - stepMs + (stepMs * (1 - before)) / (level - before);
  }
  return { name, points, fullAtMs: fills ? fullAtMs : null, looksFromMs };
}

/** Growth a ms of a ratio an hour. */
export const perMs = (ratioPerHour: number): number => ratioPerHour / HOUR_MS;

/** Growth whose rate is anything within `jitter` of its mean from one reading to the next. */
const growth =
  (ratioPerHour: number, jitter = 0.2): NextLevel =>
  (level, _atMs, ms, random) =>
    level + perMs(ratioPerHour) * ms * (1 + jitter * (2 * random() - 1));

/** Growth in chunks that come at random: as many in a reading as chance will have it. */
function chunks(ratioPerHour: number, chunk: number): NextLevel {
  return (level, _atMs, ms, random) => {
    const mean = (perMs(ratioPerHour) * ms) / chunk;
    return level + chunk * Math.max(0, Math.round(mean + Math.sqrt(mean) * gaussian(random)));
  };
}

/** Fills that a forecast should see, for a seed. */
export function steadyTraces(seed: number): readonly FillTrace[] {
  const fill = { from: 0.2, hours: 3, fills: true };
  return [
    trace("steady", seed, fill, growth(0.5, 0)),
    trace("steady, rate jitters by half", seed, fill, growth(0.5, 0.5)),
    trace(
      "steady in chunks of 4 MiB on 10 GB",
      seed,
      { ...fill, from: 0.3 },
      chunks(0.4, (4 * 2 ** 20) / 1e10),
    ),
    trace(
      "steady, level noise of 0.05 %",
      seed,
      { ...fill, read: (level, random) => Math.min(1, level + 0.0005 * gaussian(random)) },
      growth(0.5, 0),
    ),
    trace(
      "steady, read in steps of 0.1 %",
      seed,
      { ...fill, read: (level) => Math.floor(level * 1000) / 1000 },
      growth(0.5),
    ),
    trace(
      "short, full in a minute, read every second",
      seed,
      { ...fill, from: 0.4, tickMs: seconds(1) },
      growth(36),
    ),
    trace(
      "still for a minute, then 0.35 to full in 36 s, read as a core does",
      seed,
      { ...fill, from: 0.35, tickMs: hastened(60_000) },
      (level, atMs, ms, random) =>
        // A reading may fall into the time when it begins.
        growth(65, 0.1)(level, atMs, Math.max(0, Math.min(ms, atMs + ms - 60_000)), random),
    ),
    trace(
      "half an hour, level noise of 0.1 %, read every ten seconds",
      seed,
      {
        ...fill,
        tickMs: seconds(10),
        read: (level, random) => Math.min(1, level + 0.001 * gaussian(random)),
      },
      growth(1.6),
    ),
    trace("slow, full in ten hours", seed, { ...fill, hours: 12 }, growth(0.08)),
    trace("fast, full in five minutes", seed, { ...fill, from: 0.3 }, growth(8.4)),
    trace(
      "fast, read ever more often",
      seed,
      {
        ...fill,
        from: 0.3,
        tickMs: (level) => Math.max(250, (1 - level) * 5_000),
      },
      growth(8.4),
    ),
    trace("stops for ten seconds, goes on for twenty", seed, fill, (level, atMs, ms) =>
      atMs % 30_000 < 10_000 ? level : level + perMs(0.75) * ms,
    ),
    trace("one burst of 5 % within", seed, fill, burstWithin()),
    trace("rate doubles", seed, fill, (level, atMs, ms, random) =>
      growth(atMs < 900_000 ? 0.4 : 0.8)(level, atMs, ms, random),
    ),
    trace("rate halves", seed, fill, (level, atMs, ms, random) =>
      growth(atMs < 900_000 ? 0.8 : 0.4)(level, atMs, ms, random),
    ),
    trace("relieved once", seed, { ...fill, from: 0.5 }, relievedOnce()),
    trace("not read for five minutes", seed, { ...fill, tickMs: gap(1_200_000, 300_000) }, growth(0.5)),
    trace("builds that clean up after them", seed, fill, cleaningUp()),
  ];
}

/** The usual tick, and once a long one. */
export function gap(fromMs: number, ms: number): NonNullable<TraceOptions["tickMs"]> {
  return (level, atMs, random) =>
    atMs <= fromMs && atMs + TICK_MS > fromMs ? ms : usualTickMs(level, atMs, random);
}

/** A reading every so many seconds. */
export function seconds(count: number): NonNullable<TraceOptions["tickMs"]> {
  return () => count * 1_000;
}

/** As a core's tick is hastened once a fill of 0.65 in 36 s has begun: a twentieth of what seems left. */
function hastened(fromMs: number): NonNullable<TraceOptions["tickMs"]> {
  return (level, atMs) =>
    atMs < fromMs ? TICK_MS : Math.max(250, Math.min(TICK_MS, ((1 - level) / perMs(65)) * 0.05));
}

function burstWithin(): NextLevel {
  return (level, atMs, ms, random) => {
    const burst = atMs <= 900_000 && atMs + ms > 900_000 ? 0.05 : 0;
    return growth(0.4)(level, atMs, ms, random) + burst;
  };
}

function relievedOnce(): NextLevel {
  let isRelieved = false;
  return (level, atMs, ms, random) => {
    if (level <= 0.8 || isRelieved) return growth(0.5)(level, atMs, ms, random);
    isRelieved = true;
    return 0.6;
  };
}

/** Builds of a minute: each takes 1.5 %, and gives half of it back at its end. */
function cleaningUp(): NextLevel {
  return (level, atMs, ms, random) => {
    const isOver = Math.floor(atMs / 60_000) !== Math.floor((atMs + ms) / 60_000);
    return growth(0.9)(level, atMs, ms, random) - (isOver ? 0.0075 : 0);
  };
}
