/** A ratio as a whole percentage, `92 %`; never clamped. Cut, not rounded up: 99.9 % isn't full yet. */
export function formatPercent(ratio: number): string {
  return `${Math.floor(ratio * 100 + 1e-9)} %`;
}
