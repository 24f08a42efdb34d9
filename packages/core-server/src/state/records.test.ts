import fc from "fast-check";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { eachInDirectory } from "../testing/state-fixtures.js";
import { MemoryRecords } from "./memory-records.js";
import {
  KEPT_MS,
  keptMs,
  type KeptReading,
  MAX_KEPT_POOLS,
  POINT_MS,
  type RecordStore,
  type Resolution,
  RESOLUTIONS,
} from "./record-store.js";
import { StateFile } from "./state-file.js";

const DAY_MS = 86_400_000;
const START_MS = 1_700_000_000_000;
const documents = new Map<string, unknown>();
const reading = (pool: string, atMs: number, given: Partial<KeptReading> = {}): KeptReading => ({
  pool,
  atMs,
  usedBytes: 1_000,
  capacityBytes: 2_000,
  pressure: 0.5,
  ...given,
});
const everything = (store: RecordStore, pool: string, resolution: Resolution) =>
  store.series({ pool, resolution, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, limit: 1_000_000 });

const directory = eachInDirectory();
let opened: StateFile[] = [];
let names = 0;
afterEach(() => {
  for (const file of opened) file.close();
  opened = [];
});
function openFile(options: { readonly maxPages?: number } = {}): StateFile {
  const file = new StateFile(join(directory(), `state-${(names += 1)}.db`), options);
  opened.push(file);
  return file;
}

/** A reading's place in time, mostly onwards; now and then the clock is set back. */
const steps = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 30_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 2 * 3_600_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -3_600_000, max: 0 }) },
);
const batches = fc.array(
  fc.array(
    fc.record({
      pool: fc.constantFrom("a", "b", "c"),
      step: steps,
      usedBytes: fc.integer({ min: 0, max: 2 ** 48 }),
      capacityBytes: fc.integer({ min: 1, max: 2 ** 48 }),
      pressure: fc.double({ min: 0, max: 3, noNaN: true }),
      isAsked: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
  { maxLength: 12 },
);

/** What a series is by its definition, counted anew for each point. */
function naive(all: readonly KeptReading[], pool: string, resolution: Resolution) {
  const stepMs = POINT_MS[resolution];
  const own = all.filter((each) => each.pool === pool);
  const starts = [...new Set(own.map(({ atMs }) => atMs - (atMs % stepMs)))].sort((a, b) => a - b);
  return starts.map((atMs) => {
    const within = own.filter((each) => each.atMs >= atMs && each.atMs < atMs + stepMs);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const pressures = within.map(({ pressure }) => pressure);
    return {
      atMs,
      usedBytes: mean(within.map(({ usedBytes }) => usedBytes)),
      capacityBytes: within.at(-1)?.capacityBytes,
      pressure: mean(pressures),
      minPressure: Math.min(...pressures),
      maxPressure: Math.max(...pressures),
      samples: within.length,
    };
  });
}

describe.each([
  ["in a file", (): RecordStore => openFile()],
  ["in memory", (): RecordStore => new MemoryRecords()],
])("readings %s", (_where, open) => {
  it("are what a naive count makes of them, by reading, minute and hour", () => {
    fc.assert(
      fc.property(batches, (given) => {
        const store = open();
        const all: KeptReading[] = [];
        let atMs = START_MS;
        for (const batch of given) {
          const readings = batch.map(({ step, pool, usedBytes, capacityBytes, pressure }) => {
            atMs += step;
            return { pool, usedBytes, capacityBytes, pressure, atMs };
          });
          all.push(...readings);
          expect(store.write({ documents, readings }).droppedReadings).toBe(0);
          // Whoever asks in between changes nothing.
          if (batch[0]?.isAsked === true) everything(store, "a", "minute");
        }
        for (const pool of ["a", "b", "c"]) {
          for (const resolution of RESOLUTIONS) {
            const points = everything(store, pool, resolution);
            const expected = naive(all, pool, resolution);
            expect(points.map(({ atMs: at, samples }) => [at, samples])).toEqual(
              expected.map(({ atMs: at, samples }) => [at, samples]),
            );
            for (const [i, point] of points.entries()) {
              const { usedBytes, pressure, ...rest } = expected[i] ?? { usedBytes: NaN, pressure: NaN };
              expect(point).toMatchObject(rest);
              expect(Math.abs(point.usedBytes - usedBytes)).toBeLessThanOrEqual(1);
              expect(Math.abs(point.pressure - pressure)).toBeLessThan(1e-9);
            }
          }
        }
      }),
      { numRuns: process.env["CONTINUUM_LONG_TESTS"] === "1" ? 500 : 25 },
    );
  }, 60_000);

  it("come as the newest of a span, oldest first", () => {
    const store = open();
    const readings = Array.from({ length: 10 }, (_, i) => reading("a", START_MS + i * 1_000));
    store.write({ documents, readings });
    const points = store.series({
      pool: "a",
      resolution: "raw",
      fromMs: START_MS + 1_000,
      toMs: START_MS + 9_000,
      limit: 3,
    });
    expect(points.map(({ atMs }) => atMs - START_MS)).toEqual([6_000, 7_000, 8_000]);
    expect(everything(store, "nobody", "raw")).toEqual([]);
  });

  it("are of a bounded number of pools, of which one that is long gone makes room", () => {
    const store = open();
    const pools = Array.from({ length: MAX_KEPT_POOLS }, (_, i) => `pool-${i}`);
    store.write({ documents, readings: pools.map((pool, i) => reading(pool, START_MS + i)) });
    for (const pool of pools) expect(everything(store, pool, "raw")).toHaveLength(1);
    const late = START_MS + 2 * 60_000;
    // Those are still there: one too many isn't kept, and counted, if not at once.
    let { droppedReadings } = store.write({ documents, readings: [reading("new", late)] });
    expect(everything(store, "new", "raw")).toEqual([]);
    droppedReadings += store.write({
      documents,
      readings: [reading("pool-0", late + 61_000)],
    }).droppedReadings;
    expect(droppedReadings).toBe(1);
    // A day later all but the first are gone.
    store.write({ documents, readings: [reading("pool-0", late + DAY_MS)] });
    store.write({ documents, readings: [reading("new", late + DAY_MS)] });
    expect(everything(store, "new", "raw")).toHaveLength(1);
    expect(everything(store, "pool-1", "hour")).toEqual([]);
    expect(everything(store, "pool-0", "raw").length).toBeGreaterThan(0);
    expect(everything(store, "pool-2", "hour")).toHaveLength(1);
  });
});

describe("readings in memory", () => {
  it("are bounded for each pool and for all", () => {
    const store = new MemoryRecords();
    const pools = Array.from({ length: 100 }, (_, i) => `pool-${i}`);
    for (let i = 0; i < 4_000; i++) {
      store.write({ documents, readings: pools.map((pool) => reading(pool, START_MS + i * 5_000)) });
    }
    const { readings } = store.all();
    expect(readings.length).toBeLessThanOrEqual(2 * 131_072);
    expect(everything(store, "pool-0", "raw").at(-1)?.atMs).toBe(START_MS + 3_999 * 5_000);
  });
});

describe("how long readings are kept", () => {
  /** Fills a file with what was kept for long, without writing each reading. */
  function fillPast(file: StateFile, days: number, pool = "a"): void {
    const points = (stepMs: number, lengthMs: number) => {
      const count = Math.floor(lengthMs / stepMs);
      return Array.from({ length: count }, (_, i) => {
        // In the order in which time goes: backwards the pages of the file stay half empty.
        const atMs = Math.floor(START_MS / stepMs) * stepMs - (count - 1 - i) * stepMs;
        // Of a disk of 2 TB: small figures would take less space.
        const samples = stepMs / 5_000;
        const rest = { usedSum: 1.1e12 * samples, capacityBytes: 2e12, pressureSum: 0.55 * samples };
        return { pool, atMs, samples, ...rest, minPressure: 0.54, maxPressure: 0.56 };
      });
    };
    file.adopt({
      documents,
      uses: new Map(),
      marker: null,
      ledger: [],
      deletions: [],
      inbox: [],
      rollUps: [
        ["raw", points(5_000, DAY_MS)],
        ["minute", points(60_000, Math.min(days, 31) * DAY_MS)],
        ["hour", points(3_600_000, days * DAY_MS)],
      ],
    });
  }
  const oldest = (file: StateFile, resolution: Resolution): number =>
    everything(file, "a", resolution)[0]?.atMs ?? NaN;

  it("is a day, a month and two years, and what was away for long catches up in steps", () => {
    const file = openFile();
    fillPast(file, 40);
    const nowMs = START_MS + 20 * DAY_MS;
    let writes = 0;
    const isTrimmed = (atMs: number): boolean =>
      oldest(file, "raw") >= atMs - KEPT_MS.raw && oldest(file, "minute") >= atMs - KEPT_MS.minute - 60_000;
    // A reading a second, each with a bounded step of the work.
    for (; writes < 200 && !isTrimmed(nowMs); writes++) {
      const before = everything(file, "a", "raw").length;
      file.write({ documents, readings: [reading("a", nowMs + writes * 1_000)] });
      expect(before - everything(file, "a", "raw").length).toBeLessThanOrEqual(2_000);
    }
    expect(writes).toBeGreaterThan(5);
    file.write({ documents, readings: [reading("a", nowMs + 300_000)] });
    const laterMs = nowMs + 300_000;
    expect(isTrimmed(laterMs)).toBe(true);
    // Nothing of what is to be kept is missing.
    expect(everything(file, "a", "minute").length).toBeGreaterThanOrEqual(11 * 1_440 - 10);
    expect(everything(file, "a", "hour").length).toBeGreaterThanOrEqual(40 * 24 - 1);
    expect([KEPT_MS.raw, KEPT_MS.minute, KEPT_MS.hour]).toEqual([DAY_MS, 31 * DAY_MS, 730 * DAY_MS]);
  });

  it("isn't cut short by a clock that starts in 1970 and is then set right", () => {
    const file = openFile();
    fillPast(file, 2);
    for (let i = 0; i < 5; i++) {
      file.write({ documents, readings: [reading("a", i * 61_000)] });
      file.write({ documents, readings: [reading("a", START_MS - i)] });
    }
    expect(everything(file, "a", "raw").length).toBeGreaterThanOrEqual(DAY_MS / 5_000);
    expect(everything(file, "a", "hour").length).toBeGreaterThanOrEqual(48);
  });

  it("is shorter where pools in great number would fill the file beyond its bound", () => {
    for (const resolution of RESOLUTIONS) {
      expect(keptMs(resolution, 0.5)).toBe(KEPT_MS[resolution]);
      expect(keptMs(resolution, 0.95)).toBeLessThan(KEPT_MS[resolution]);
      expect(keptMs(resolution, 2)).toBeGreaterThanOrEqual(3_600_000);
    }
    const maxPages = 350;
    const file = openFile({ maxPages });
    const pools = Array.from({ length: 40 }, (_, i) => `pool-${i}`);
    for (let i = 0; i < 400; i++) {
      const at = START_MS + i * 200_000;
      file.write({ documents, readings: pools.map((pool) => reading(pool, at)) });
      if (i % 3 === 0) file.reserve();
    }
    // What is reserved comes on top: twice, while it is being made anew.
    expect(file.sizeBytes).toBeLessThan((maxPages * 1.15 + 2_100) * 4_096);
    const first = everything(file, "pool-0", "raw");
    expect(first.at(-1)?.atMs).toBe(START_MS + 399 * 200_000);
    expect(first.length).toBeGreaterThanOrEqual(18);
    expect(first.length).toBeLessThan(350);
  }, 30_000);

  it("for two years of five pools takes a file of a bounded size, and a question no time", () => {
    const file = openFile();
    const pools = process.env["CONTINUUM_LONG_TESTS"] === "1" ? ["a", "b", "c", "d", "e"] : ["a"];
    for (const pool of pools) fillPast(file, 730, pool);
    file.write({ documents, readings: pools.map((pool) => reading(pool, START_MS + 1)) });
    const perPool = (file.sizeBytes - 4_300_000) / pools.length;
    const startedMs = performance.now();
    const points = file.series({ pool: "a", resolution: "hour", fromMs: 0, toMs: START_MS, limit: 2_000 });
    const askedMs = performance.now() - startedMs;
    const nextMs = performance.now();
    file.write({ documents, readings: pools.map((pool) => reading(pool, START_MS + 70_000)) });
    const wroteMs = performance.now() - nextMs;
    expect(points).toHaveLength(2_000);
    expect(perPool).toBeLessThan(6_000_000);
    console.log(
      `two years of ${pools.length} pools: ${(file.sizeBytes / 1e6).toFixed(1)} MB, ${(perPool / 1e6).toFixed(2)} MB a pool; ` +
        `2000 points in ${askedMs.toFixed(1)} ms; a write that trims ${wroteMs.toFixed(1)} ms`,
    );
  });
});
