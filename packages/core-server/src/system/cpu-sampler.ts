import type { CpuUsage } from "@continuum/wire-types";
import { type CpuInfo, cpus as osCpus, loadavg as osLoadAverage } from "node:os";

interface CoreTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** How busy the cores were between the last two samples. */
export class CpuSampler {
  #last: readonly CoreTimes[];
  #perCoreUsage: readonly number[];

  constructor(
    private readonly cpus: () => CpuInfo[] = osCpus,
    private readonly loadAverage: () => number[] = osLoadAverage,
  ) {
    this.#last = this.#read();
    // Before a second sample there is only the average since the machine started.
    this.#perCoreUsage = this.#last.map(({ busyMs, totalMs }) => ratio(busyMs, totalMs));
  }

  /** Takes a sample; the usage from then on is the one since the sample before. */
  sample(): void {
    const now = this.#read();
    const before = this.#last;
    this.#last = now;
    this.#perCoreUsage = now.map((core, index) => {
      const earlier = before[index] ?? { busyMs: 0, totalMs: 0 };
      return ratio(core.busyMs - earlier.busyMs, core.totalMs - earlier.totalMs);
    });
  }

  /** The usage between the last two samples, as ratios from 0 to 1; the load is the one of this moment. */
  usage(): CpuUsage {
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
