import { readdir, readFile } from "node:fs/promises";
import type { KernelUnits } from "./kernel-units.js";

/** One process at one moment. */
export interface ProcessSample {
  readonly pid: number;
  readonly name: string;
  /** CPU time since its start. */
  readonly cpuSeconds: number;
  /** When it started, in seconds after the machine did: with the pid, its identity. */
  readonly startedSeconds: number;
  readonly memoryBytes: number;
}

/** How many files are read at once: enough to be quick, few enough to leave the pool of file threads to others. */
const PARALLEL_READS = 8;

/** Every process of a Linux machine; one that ends meanwhile is left out. Rejects where there is no `/proc`. */
export async function readProcessTable(
  units: KernelUnits,
  procDirectory = "/proc",
): Promise<ProcessSample[]> {
  const pids = (await readdir(procDirectory)).filter((name) => /^\d+$/u.test(name));
  const samples: ProcessSample[] = [];
  const readNext = async (): Promise<void> => {
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      const stat = await readFile(`${procDirectory}/${pid}/stat`, "latin1").catch(() => null);
      const sample = stat === null ? null : parseProcessStat(stat, units);
      if (sample !== null) samples.push(sample);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, readNext));
  return samples;
}

/** Decodes `/proc/PID/stat` (see proc(5)); null when it isn't one. The name may hold spaces and parentheses. */
export function parseProcessStat(text: string, units: KernelUnits): ProcessSample | null {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return null;
  // The fields after the name begin with the third of the manual's count.
  const fields = text.slice(close + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  const sample: ProcessSample = {
    pid: Number(text.slice(0, open)),
    // Read as latin1, so that the offsets are bytes; a name beyond ASCII is decoded here.
    name: Buffer.from(text.slice(open + 1, close), "latin1").toString("utf8"),
    cpuSeconds: (field(14) + field(15)) / units.ticksPerSecond,
    startedSeconds: field(22) / units.ticksPerSecond,
    memoryBytes: field(24) * units.pageBytes,
  };
  return Object.values(sample).some((value) => typeof value === "number" && !Number.isFinite(value))
    ? null
    : sample;
}
