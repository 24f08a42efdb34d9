/** So many lines of a tier come as they happen. */
const BURST = 8;
/** Beyond that one comes in so long, in ms. */
const REFILL_MS = 3_600_000;
/** Tiers that are remembered; beyond, the one that was heard of first is forgotten. */
const MAX_TIERS = 4_096;

/** How many lines each tier may still have: what changes now and then is told at once, what flaps hardly at all. */
export class LineAllowance {
  readonly #left = new Map<string, { readonly lines: number; readonly atMs: number }>();

  constructor(private readonly monotonicMs: () => number) {}

  /** Takes one line of a tier's; false when there is none left. */
  take(tier: string): boolean {
    const nowMs = this.monotonicMs();
    const before = this.#left.get(tier) ?? { lines: BURST, atMs: nowMs };
    const refilled = Math.floor((nowMs - before.atMs) / REFILL_MS);
    const lines = Math.min(BURST, before.lines + refilled);
    if (lines === 0) return false;
    // The part of an hour that hasn't made a line yet goes on counting, unless nothing was missing.
    const atMs = lines === BURST ? nowMs : before.atMs + refilled * REFILL_MS;
    this.#left.set(tier, { lines: lines - 1, atMs });
    const oldest = this.#left.size > MAX_TIERS ? this.#left.keys().next().value : undefined;
    if (oldest !== undefined) this.#left.delete(oldest);
    return true;
  }
}
