const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;

/**
 * Milliseconds of a duration such as `0s`, `90m`, `24h`, `7d` or `1h30m`: whole numbers, each with its unit
 * (d, h, m, s), from the largest unit to the smallest, each at most once. Null for anything else.
 */
export function parseDuration(text: string): number | null {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/u.exec(text);
  if (match === null || text === "") return null;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = match;
  const ms =
    Number(days) * UNIT_MS.d +
    Number(hours) * UNIT_MS.h +
    Number(minutes) * UNIT_MS.m +
    Number(seconds) * UNIT_MS.s;
  return Number.isSafeInteger(ms) ? ms : null;
}

/** A duration as `parseDuration` takes it: `1h30m`, `7d`, `0s`; parts of a second are dropped. */
export function formatDuration(ms: number): string {
  let rest = Math.floor(ms / 1000) * 1000;
  let text = "";
  for (const unit of ["d", "h", "m", "s"] as const) {
    const count = Math.floor(rest / UNIT_MS[unit]);
    rest -= count * UNIT_MS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
