import type { CpuUsage } from "@continuum/wire-types";
import { type CpuInfo, cpus as osCpus, loadavg as osLoadAverage } from "node:os";

interface CoreTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** Samples nearer to each other than this tell nothing: the kernel counts in steps of 10 ms. */
const MIN_APART_MS = 500;

/** How busy the cores were between the last two samples. */
export class CpuSampler {
  #last: readonly CoreTimes[];
  #sampledMs: number;
  #perCoreUsage: readonly number[];

  constructor(
    private readonly monotonicMs: () => number,
    private readonly cpus: () => CpuInfo[] = osCpus,
    private readonly loadAverage: () => number[] = osLoadAverage,
  ) {
    this.#sampledMs = monotonicMs();
    this.#last = this.#read();
    // Before a second sample there is only the average since the machine started.
    this.#perCoreUsage = this.#last.map(({ busyMs, totalMs }) => ratio(busyMs, totalMs));
  }

  /** Takes a sample; the usage from then on is the one since the sample before. */
  sample(): void {
    const now = this.#read();
    const before = this.#last;
    this.#sampledMs = this.monotonicMs();
    this.#last = now;
    this.#perCoreUsage = now.map((core, index) => {
      const earlier = before[index] ?? { busyMs: 0, totalMs: 0 };
      return ratio(core.busyMs - earlier.busyMs, core.totalMs - earlier.totalMs);
    });
  }

  /**
   * The usage since the last sample, or between the last two when that one was taken only now, as ratios from 0 to 1;
   * the load is the one of this moment.
   */
  usage(): CpuUsage {
    if (this.monotonicMs() - this.#sampledMs >= MIN_APART_MS) this.sample();
    const perCoreUsage = [...this.#perCoreUsage];
    const sum = perCoreUsage.reduce((total, usage) => total + usage, 0);
    return {
      logicalCores: perCoreUsage.length,
      globalUsage: perCoreUsage.length === 0 ? 0 : sum / perCoreUsage.length,
      perCoreUsage,
      loadAverage1m: this.loadAverage()[0] ?? 0,
    };
  }

  #read(): readonly CoreTimes[] {
    return this.cpus().map(({ times }) => {
      const busyMs = times.user + times.nice + times.sys + times.irq;
      return { busyMs, totalMs: busyMs + times.idle };
    });
  }
}

/** Counters may go backwards when a core is taken off line and back. */
function ratio(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole));
}
