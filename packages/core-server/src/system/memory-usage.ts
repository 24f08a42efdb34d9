import type { MemoryUsage } from "@continuum/wire-types";
import { readFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";

/** The machine's memory now; swap is 0 where it can't be known (anything but Linux). */
export async function readMemoryUsage(procDirectory = "/proc"): Promise<MemoryUsage> {
  const fields = await readFile(`${procDirectory}/meminfo`, "utf8").then(
    parseMeminfo,
    () => new Map<string, number>(),
  );
  const totalBytes = fields.get("MemTotal") ?? totalmem();
  const availableBytes = Math.min(totalBytes, fields.get("MemAvailable") ?? freemem());
  const usedBytes = totalBytes - availableBytes;
  const swapTotalBytes = fields.get("SwapTotal") ?? 0;
  return {
    totalBytes,
    usedBytes,
    availableBytes,
    pressure: totalBytes === 0 ? 0 : usedBytes / totalBytes,
    swapTotalBytes,
    swapUsedBytes: Math.max(0, swapTotalBytes - (fields.get("SwapFree") ?? 0)),
  };
}

/** The fields of `/proc/meminfo` in bytes. */
function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  for (const [, name, kibibytes] of text.matchAll(/^(\w+):\s+(\d+) kB$/gmu)) {
    if (name !== undefined) fields.set(name, Number(kibibytes) * 1024);
  }
  return fields;
}
