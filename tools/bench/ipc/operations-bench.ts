import { join } from "node:path";
import { formatTable } from "../../contract/format-tables.js";
import type { PayloadName } from "./bench-subject.js";
import { median, spread } from "./median.js";
import { type PairSample, SubjectPair } from "./subject-pair.js";
import type { SubjectName } from "./subjects/index.js";

/** How long and how often it is measured. */
export interface RoundOptions {
  readonly rounds: number;
  readonly roundMs: number;
}

/** What is measured of operations. */
export interface OperationsOptions extends RoundOptions {
  readonly program: string;
  readonly directory: string;
  readonly payload: PayloadName;
  readonly subjects: readonly SubjectName[];
  readonly pin: boolean;
}

/** A round in which code gets fast, and which isn't counted, takes at least so long: the compiler has a core's half. */
const WARM_UP_MS = 3_000;

/** How many are in flight. */
const IN_FLIGHT = [1, 64, 512] as const;

/** The samples of each subject, by how many were in flight. */
export type OperationSamples = ReadonlyMap<number, ReadonlyMap<SubjectName, readonly PairSample[]>>;

/** Measures every subject in turn, round by round, so that a machine that gets busier does so for all of them. */
export async function measureOperations(options: OperationsOptions): Promise<OperationSamples> {
  const { program, directory, payload, subjects, pin, rounds, roundMs } = options;
  const pairs = new Map<SubjectName, SubjectPair>();
  const all = new Map<number, Map<SubjectName, PairSample[]>>();
  try {
    for (const [i, subject] of subjects.entries()) {
      const socketPath = join(directory, `${payload}-${i}.sock`);
      pairs.set(subject, await SubjectPair.start({ program, subject, payload, socketPath, pin }));
    }
    for (const inFlight of IN_FLIGHT) {
      const samples = new Map<SubjectName, PairSample[]>(subjects.map((subject) => [subject, []]));
      all.set(inFlight, samples);
      for (let round = 0; round <= rounds; round += 1) {
        for (const [subject, pair] of pairs) {
          // Held against our own with one in flight only; the existing client connects for each call, however many.
          if (inFlight > 1 && subject === "continuum, connecting") continue;
          const durationMs = round === 0 ? Math.max(roundMs, WARM_UP_MS) : roundMs;
          const sample = await pair.measure(inFlight, durationMs);
          if (round > 0) samples.get(subject)?.push(sample);
        }
      }
    }
  } finally {
    for (const pair of pairs.values()) await pair.stop();
  }
  return all;
}

/** Operations per second, the median of the rounds; NaN where none were measured. */
export function operationsPerSecond(samples: readonly PairSample[] = []): number {
  return median(samples.map(({ operations, seconds }) => operations / seconds));
}

/** The 99th percentile in microseconds, the median of the rounds. */
export function p99Us(samples: readonly PairSample[] = []): number {
  return median(samples.map((sample) => sample.p99Us ?? Number.NaN));
}

/** The figures as tables, one for each number in flight. */
export function formatOperations(all: OperationSamples): string {
  return [...all].map(([inFlight, samples]) => `${inFlight} in flight\n${toTable(samples)}`).join("\n\n");
}

function toTable(all: ReadonlyMap<SubjectName, readonly PairSample[]>): string {
  const floor = operationsPerSecond(all.get("floor"));
  const rows = [...all].flatMap(([subject, samples]) => {
    if (samples.length === 0) return [];
    const rates = samples.map(({ operations, seconds }) => operations / seconds / 1000);
    const us = (of: (sample: PairSample) => number | null): string => {
      const value = median(samples.map((sample) => of(sample) ?? Number.NaN));
      return Number.isNaN(value) ? "" : value.toFixed(1);
    };
    return [
      [
        subject,
        median(rates).toFixed(1),
        spread(rates),
        `${(operationsPerSecond(samples) / floor).toFixed(2)} x`,
        us((sample) => sample.p50Us),
        us((sample) => sample.p99Us),
        us((sample) => sample.clientCpuUs / sample.operations),
        us((sample) => sample.serverCpuUs / sample.operations),
      ],
    ];
  });
  const head = ["", "thousand/s", "spread", "floor", "p50 µs", "p99 µs", "client CPU µs", "server CPU µs"];
  return formatTable([head, ...rows]);
}
