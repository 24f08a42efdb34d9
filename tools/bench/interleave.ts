import { formatTable } from "../contract/format-tables.js";

/** One side of a comparison; `run` does the work once. */
export interface Contender {
  readonly name: string;
  readonly run: () => unknown;
}

/** A contender's figures over the rounds, in microseconds per run. */
export interface Timing {
  readonly name: string;
  readonly medianUs: number;
  readonly minUs: number;
  readonly maxUs: number;
}

/**
 * Times contenders in turn, round by round, so that a machine that gets slower or busier does so for all of them.
 * Each round of a contender lasts about `roundMs`; the first round warms up and isn't counted.
 */
export function timeInterleaved(
  contenders: readonly Contender[],
  { rounds = 15, roundMs = 40 } = {},
): readonly Timing[] {
  const counts = contenders.map(({ run }) => calibrate(run, roundMs));
  const samples = contenders.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round += 1) {
    contenders.forEach(({ run }, i) => {
      const count = counts[i] ?? 1;
      const started = performance.now();
      for (let n = 0; n < count; n += 1) run();
      if (round > 0) samples[i]?.push(((performance.now() - started) * 1000) / count);
    });
  }
  return contenders.map(({ name }, i) => {
    const sorted = [...(samples[i] ?? [])].sort((a, b) => a - b);
    return {
      name,
      medianUs: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
      minUs: sorted[0] ?? Number.NaN,
      maxUs: sorted.at(-1) ?? Number.NaN,
    };
  });
}

function calibrate(run: () => unknown, roundMs: number): number {
  const started = performance.now();
  let count = 0;
  do {
    run();
    count += 1;
  } while (performance.now() - started < roundMs);
  return count;
}

/** The figures as a table, each with its ratio to the first contender, which is the peer. */
export function formatTimings(timings: readonly Timing[]): string {
  const peer = timings[0]?.medianUs ?? Number.NaN;
  const rows = timings.map(({ name, medianUs, minUs, maxUs }) => [
    name,
    medianUs.toFixed(1),
    `${minUs.toFixed(1)} to ${maxUs.toFixed(1)}`,
    `${(medianUs / peer).toFixed(2)} x`,
  ]);
  return formatTable([["", "median µs", "spread µs", `against ${timings[0]?.name ?? ""}`], ...rows]);
}
