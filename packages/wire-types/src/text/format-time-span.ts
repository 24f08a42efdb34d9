const units = [
  { unit: "s", ms: 1_000, below: 120_000 },
  { unit: "min", ms: 60_000, below: 7_200_000 },
  { unit: "h", ms: 3_600_000, below: 172_800_000 },
  { unit: "d", ms: 86_400_000, below: Infinity },
] as const;

/** A time span for a person, in one unit: `45 s`, `90 min`, `36 h`, `12 d`. Cut, not rounded up. */
export function formatTimeSpan(ms: number): string {
  const { unit, ms: size } = units.find(({ below }) => ms < below) ?? units[3];
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`;
}
