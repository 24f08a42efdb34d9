import { UsageError } from "./usage-error.js";

const UNITS = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30, ti: 2 ** 40 };

/** Bytes of a size such as `5GB`, `1.5 GiB` or plain bytes; throws a UsageError that names the flag. */
export function parseSize(flag: string, text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?$/iu.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * UNITS[unit.toLowerCase() as keyof typeof UNITS]);
  if (number !== undefined && Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(
    `${flag}: got ${JSON.stringify(text)}, expected a size such as 5GB, 500MiB or plain bytes`,
  );
}
