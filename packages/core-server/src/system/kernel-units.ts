import { readFile } from "node:fs/promises";
import { endianness } from "node:os";

/** What `/proc` counts in. */
export interface KernelUnits {
  readonly pageBytes: number;
  readonly ticksPerSecond: number;
}

const COMMON: KernelUnits = { pageBytes: 4096, ticksPerSecond: 100 };
const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;
const WORD_BYTES = 8;

/**
 * Page size and clock ticks of this kernel, from the auxiliary vector that it gave this process (the page is 16 or
 * 64 KiB on some ARM machines); the common ones where that can't be read.
 */
export async function readKernelUnits(procDirectory = "/proc"): Promise<KernelUnits> {
  let vector: Buffer;
  try {
    vector = await readFile(`${procDirectory}/self/auxv`);
  } catch {
    return COMMON;
  }
  const word = (offset: number): bigint =>
    endianness() === "LE" ? vector.readBigUInt64LE(offset) : vector.readBigUInt64BE(offset);
  const values = new Map<bigint, number>();
  for (let offset = 0; offset + 2 * WORD_BYTES <= vector.length; offset += 2 * WORD_BYTES) {
    values.set(word(offset), Number(word(offset + WORD_BYTES)));
  }
  return {
    pageBytes: values.get(AT_PAGESZ) ?? COMMON.pageBytes,
    ticksPerSecond: values.get(AT_CLKTCK) ?? COMMON.ticksPerSecond,
  };
}
