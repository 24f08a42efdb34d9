import { UsageError } from "./usage-error.js";

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration such as `30m`, `6h` or `1d12h`; throws a UsageError that names the flag. */
export function parseDuration(flag: string, text: string, minMs: number, maxMs: number): number {
  const parts = [...text.matchAll(/(\d+)([smhd])/gu)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text;
  const ms = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit as "s" | "m" | "h" | "d"],
    0,
  );
  if (isWhole && ms >= minMs && ms <= maxMs) return ms;
  throw new UsageError(
    `${flag}: got ${JSON.stringify(text)}, expected a duration such as 30m, 6h or 7d, from 1m to 730d`,
  );
}
