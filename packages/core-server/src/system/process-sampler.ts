import type { ProcessUsage, TopProcesses } from "@continuum/wire-types";
import type { ProcessSample } from "./process-table.js";

/** The processes at one moment. */
interface TableSample {
  readonly atMs: number;
  readonly processes: ReadonlyMap<number, ProcessSample>;
}

/** For how long after a request the processes are sampled on, so that the next one has two samples. */
const WATCHED_FOR_MS = 60_000;
/** A sample older than this isn't what the processes do now. */
const FRESH_FOR_MS = 2_500;
/** Samples nearer to each other than this tell nothing: the kernel counts CPU time in steps of 10 ms. */
const MIN_APART_MS = 500;

/**
 * The processes that use most, between two samples.
 *
 * Reading every process costs milliseconds, so it is done while somebody asks, not all the time: the first answer
 * after a pause tells each process's average since its start, the following ones tell what it uses now. Those who ask
 * while the processes are being read share that one reading.
 */
export class ProcessSampler {
  #earlier: TableSample | null = null;
  #latest: TableSample | null = null;
  #watchedUntilMs = 0;
  /** The sample that is being taken: whoever asks meanwhile gets it, too. */
  #sampling: Promise<TableSample> | null = null;

  constructor(
    private readonly options: {
      readonly readTable: () => Promise<ProcessSample[]>;
      readonly uptimeSeconds: () => number;
      readonly monotonicMs: () => number;
    },
  ) {}

  /** Whether somebody asked lately. */
  get isWatched(): boolean {
    return this.options.monotonicMs() < this.#watchedUntilMs;
  }

  /** Takes a sample if somebody asked lately; forgets the old ones otherwise. */
  async tick(): Promise<void> {
    if (this.isWatched) {
      await this.#sample();
    } else {
      this.#earlier = null;
      this.#latest = null;
    }
  }

  /** The `topN` by CPU and by memory, highest first. Rejects where processes can't be read. */
  async top(topN: number): Promise<TopProcesses> {
    const nowMs = this.options.monotonicMs();
    this.#watchedUntilMs = nowMs + WATCHED_FOR_MS;
    const known = this.#latest !== null && nowMs - this.#latest.atMs <= FRESH_FOR_MS ? this.#latest : null;
    const latest = known ?? (await this.#sample());
    const all = [...latest.processes.values()].map((process) => this.#usage(process, latest));
    return {
      byCpu: highest(all, topN, ({ cpuUsage }) => cpuUsage),
      byMemory: highest(all, topN, ({ memoryBytes }) => memoryBytes),
    };
  }

  #sample(): Promise<TableSample> {
    this.#sampling ??= this.#takeSample().finally(() => (this.#sampling = null));
    return this.#sampling;
  }

  async #takeSample(): Promise<TableSample> {
    const processes = new Map((await this.options.readTable()).map((each) => [each.pid, each]));
    const sample: TableSample = { atMs: this.options.monotonicMs(), processes };
    if (this.#latest !== null && sample.atMs - this.#latest.atMs >= MIN_APART_MS)
      this.#earlier = this.#latest;
    this.#latest = sample;
    return sample;
  }

  #usage(process: ProcessSample, latest: TableSample): ProcessUsage {
    const { pid, name, memoryBytes } = process;
    return { pid, name, cpuUsage: this.#cpuUsage(process, latest), memoryBytes };
  }

  #cpuUsage(process: ProcessSample, latest: TableSample): number {
    const before = this.#earlier?.processes.get(process.pid);
    const isSame = before?.startedSeconds === process.startedSeconds;
    const seconds =
      this.#earlier !== null && isSame
        ? (latest.atMs - this.#earlier.atMs) / 1000
        : this.options.uptimeSeconds() - process.startedSeconds;
    const used = process.cpuSeconds - (before !== undefined && isSame ? before.cpuSeconds : 0);
    return seconds <= 0 ? 0 : Math.max(0, used / seconds);
  }
}

function highest(
  all: readonly ProcessUsage[],
  count: number,
  by: (each: ProcessUsage) => number,
): ProcessUsage[] {
  return [...all].sort((a, b) => by(b) - by(a) || a.pid - b.pid).slice(0, count);
}
