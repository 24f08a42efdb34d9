import { seededRandom } from "../../seeded-random.js";

/** One layer of a synthetic image. */
export interface TraceLayer {
  readonly id: string;
  readonly bytes: number;
}

/** One synthetic image. */
export interface TraceImage {
  readonly id: string;
  readonly repository: string;
  readonly tag: string;
  /** From the base up. */
  readonly layers: readonly TraceLayer[];
  readonly createdAtMs: number;
}

/** Somebody runs an image. */
export interface TraceUse {
  readonly atMs: number;
  readonly image: TraceImage;
}

/** What a host is asked for over some weeks. */
export interface Trace {
  readonly name: string;
  /** In the order of their times. */
  readonly uses: readonly TraceUse[];
}

const MB = 1_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 5);
const DAYS = 56;

/** All traces for a seed: each kind alone, and all of them on one host. */
export function makeTraces(seed: number): readonly Trace[] {
  const zipf = makeZipf(new Maker(seed, "zipf"));
  const weekly = makeWeekly(new Maker(seed + 1, "weekly"));
  const ci = makeCi(new Maker(seed + 2, "ci"));
  const huge = makeHuge(new Maker(seed + 3, "huge"));
  const mixed = [zipf, weekly, ci, huge].flatMap((uses) => uses.filter((_use, i) => i % 2 === 0));
  return [
    { name: "Zipf popularity", uses: zipf },
    { name: "weekly cycles", uses: weekly },
    { name: "CI churn", uses: ci },
    { name: "a few huge images", uses: huge },
    { name: "all on one host", uses: mixed.sort((a, b) => a.atMs - b.atMs) },
  ];
}

/** Makes images that share bases, and times. */
class Maker {
  readonly random: () => number;
  readonly #bases: TraceLayer[];
  #count = 0;

  constructor(
    seed: number,
    private readonly prefix: string,
  ) {
    this.random = seededRandom(seed * 7919 + 17);
    this.#bases = Array.from({ length: 8 }, (_, i) => ({
      id: `${prefix}-base-${i}`,
      bytes: Math.round((60 + 400 * this.random()) * MB),
    }));
  }

  image(repository: string, tag: string, ownBytes: number, createdAtMs: number): TraceImage {
    const n = this.#count++;
    // The same repository builds on the same base.
    const base =
      this.#bases[
        Array.from(repository, (c) => c.charCodeAt(0)).reduce((sum, code) => sum * 31 + code, 7) %
          this.#bases.length
      ];
    const runtime = { id: `${this.prefix}-runtime-${repository}`, bytes: Math.round(ownBytes / 3) };
    const own = { id: `${this.prefix}-own-${n}`, bytes: Math.round((ownBytes * 2) / 3) };
    const layers = base === undefined ? [runtime, own] : [base, runtime, own];
    return {
      id: `sha256:${this.prefix}-${n}`,
      repository: `${this.prefix}/${repository}`,
      tag,
      layers,
      createdAtMs,
    };
  }

  /** From a few megabytes to some hundreds, most of them small. */
  ownBytes(): number {
    return Math.round(10 * MB * Math.exp(4 * this.random()));
  }

  /** Some time in the year before. */
  before(): number {
    return START - Math.round(this.random() * 365 * DAY);
  }
}

function makeZipf(maker: Maker): readonly TraceUse[] {
  const images = Array.from({ length: 150 }, (_, i) =>
    maker.image(`app-${i}`, "1", maker.ownBytes(), maker.before()),
  );
  const weights = images.map((_image, i) => 1 / (i + 1));
  const total = weights.reduce((sum, each) => sum + each, 0);
  const uses = Array.from({ length: 2_500 }, (): TraceUse => {
    let left = maker.random() * total;
    const at = weights.findIndex((weight) => (left -= weight) <= 0);
    return {
      atMs: START + Math.round(maker.random() * DAYS * DAY),
      image: images[Math.max(0, at)] as TraceImage,
    };
  });
  return sorted(uses);
}

/** Jobs at their hours: some each working day, some once a week, some at the end of the week. */
function makeWeekly(maker: Maker): readonly TraceUse[] {
  const uses: TraceUse[] = [];
  for (let i = 0; i < 110; i++) {
    const image = maker.image(`job-${i}`, "1", maker.ownBytes(), maker.before());
    const hour = Math.floor(maker.random() * 24);
    const kind = maker.random();
    const weekday = Math.floor(maker.random() * 5);
    for (let day = 0; day < DAYS; day++) {
      const isDue = kind < 0.45 ? day % 7 < 5 : kind < 0.8 ? day % 7 === weekday : day % 7 >= 5;
      // Now and then one is left out.
      if (isDue && maker.random() < 0.9) {
        uses.push({ atMs: START + day * DAY + hour * HOUR + Math.round(maker.random() * HOUR), image });
      }
    }
  }
  return sorted(uses);
}

/** Repositories that are built several times a day: each build is used for some hours, and then a newer one is. */
function makeCi(maker: Maker): readonly TraceUse[] {
  const uses: TraceUse[] = [];
  for (let i = 0; i < 14; i++) {
    const bytes = maker.ownBytes();
    const everyMs = (4 + 20 * maker.random()) * HOUR;
    let n = 0;
    for (
      let atMs = START + maker.random() * DAY;
      atMs < START + DAYS * DAY;
      atMs += everyMs * (0.5 + maker.random())
    ) {
      const image = maker.image(
        `service-${i}`,
        `build-${n++}`,
        bytes * (0.8 + 0.4 * maker.random()),
        Math.round(atMs),
      );
      const runs = 1 + Math.floor(maker.random() * 5);
      for (let run = 0; run < runs; run++) {
        uses.push({ atMs: Math.round(atMs + run * maker.random() * 4 * HOUR), image });
      }
      // Somebody looks at an older one again.
      if (maker.random() < 0.05)
        uses.push({ atMs: Math.round(atMs + (3 + 4 * maker.random()) * DAY), image });
    }
  }
  // What every build needs.
  for (let i = 0; i < 10; i++) {
    const image = maker.image(`tool-${i}`, "1", maker.ownBytes(), maker.before());
    for (let atMs = START; atMs < START + DAYS * DAY; atMs += (3 + 30 * maker.random()) * HOUR) {
      uses.push({ atMs: Math.round(atMs), image });
    }
  }
  return sorted(uses.filter(({ atMs }) => atMs < START + DAYS * DAY));
}

/** Models of many gigabytes that are wanted once a week or never again, among small things that are wanted all day. */
function makeHuge(maker: Maker): readonly TraceUse[] {
  const uses: TraceUse[] = [];
  for (let i = 0; i < 60; i++) {
    const image = maker.image(`small-${i}`, "1", maker.ownBytes(), maker.before());
    const everyMs = (2 + 90 * maker.random()) * HOUR;
    for (
      let atMs = START + maker.random() * everyMs;
      atMs < START + DAYS * DAY;
      atMs += everyMs * (0.5 + maker.random())
    ) {
      uses.push({ atMs: Math.round(atMs), image });
    }
  }
  for (let i = 0; i < 9; i++) {
    const image = maker.image(`model-${i}`, "1", (1_500 + 4_500 * maker.random()) * MB, maker.before());
    const everyMs = (i < 3 ? 2 + 4 * maker.random() : 6 + 20 * maker.random()) * DAY;
    for (
      let atMs = START + maker.random() * everyMs;
      atMs < START + DAYS * DAY;
      atMs += everyMs * (0.7 + 0.6 * maker.random())
    ) {
      uses.push({ atMs: Math.round(atMs), image });
    }
  }
  return sorted(uses);
}

function sorted(uses: TraceUse[]): readonly TraceUse[] {
  return uses.sort((a, b) => a.atMs - b.atMs || (a.image.id < b.image.id ? -1 : 1));
}
