import type { Clock } from "@continuum/broker-core";

/** So many tickets may hold bytes at once, over all tiers. */
export const MAX_RESERVATIONS = 1_024;

/** What a ticket holds. */
export interface Reservation {
  readonly tier: string;
  readonly bytes: number;
}

/**
 * Bytes that were promised to work which hasn't put them on its tier yet. Each is held until it is released or its time
 * is over, by a clock that nobody sets; none outlives the core.
 */
export class Reservations {
  readonly #held = new Map<string, Reservation & { readonly untilMs: number }>();

  constructor(private readonly clock: Pick<Clock, "monotonicMs">) {}

  /** Whether there is no room for one more. */
  get isFull(): boolean {
    this.#forgetWhatIsOver();
    return this.#held.size >= MAX_RESERVATIONS;
  }

  /** What is held on a tier now, in bytes. */
  reservedBytes(tier: string): number {
    this.#forgetWhatIsOver();
    let sum = 0;
    for (const each of this.#held.values()) if (each.tier === tier) sum += each.bytes;
    return sum;
  }

  /** Holds bytes for a ticket. */
  hold(ticketId: string, { tier, bytes }: Reservation, ttlMs: number): void {
    this.#held.set(ticketId, { tier, bytes, untilMs: this.clock.monotonicMs() + ttlMs });
  }

  /** Lets go of what a ticket holds; null when that is nothing, or no longer. */
  release(ticketId: string): Reservation | null {
    this.#forgetWhatIsOver();
    const held = this.#held.get(ticketId);
    if (held === undefined) return null;
    this.#held.delete(ticketId);
    return { tier: held.tier, bytes: held.bytes };
  }

  #forgetWhatIsOver(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [ticketId, { untilMs }] of this.#held) if (nowMs >= untilMs) this.#held.delete(ticketId);
  }
}
