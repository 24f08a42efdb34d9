import { runTool } from "./run-tool.js";

/** One reading of a filesystem by `df`: capacity is used + available, what its percentage is calculated from. */
export interface DfReading {
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
  /** used / capacity, 0 for an empty capacity. */
  readonly pressure: number;
}

/** Asks `df` itself, so that a test has a witness which shares no code with what it tests. */
export async function readDf(mountPoint: string, signal?: AbortSignal): Promise<DfReading> {
  const { stdout } = await runTool("df", ["-B1", "--output=used,avail", mountPoint], {
    timeoutMs: 10_000,
    signal,
  });
  return parseDf(stdout);
}

/** Reads the output of `df -B1 --output=used,avail PATH`. */
export function parseDf(output: string): DfReading {
  const [used, available] = (output.trim().split("\n")[1] ?? "").trim().split(/\s+/).map(Number);
  if (used === undefined || available === undefined || !Number.isSafeInteger(used + available)) {
    throw new Error(`df answered something else than two numbers: ${output}`);
  }
  const capacityBytes = used + available;
  return {
    capacityBytes,
    usedBytes: used,
    availableBytes: available,
    pressure: capacityBytes === 0 ? 0 : used / capacityBytes,
  };
}
