import type { Clock } from "@continuum/broker-core";

/**
 * Deadlines that are all equally far away: one timer serves any number of them, because they expire in the order
 * in which they were added.
 */
export class DeadlineList<T> {
  readonly #dueAt = new Map<T, number>();
  #cancelTimer: (() => void) | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly timeoutMs: number,
    private readonly onExpired: (item: T) => void,
  ) {}

  /** Starts (or starts again) the deadline of `item`. */
  add(item: T): void {
    this.#dueAt.delete(item);
    this.#dueAt.set(item, this.clock.monotonicMs() + this.timeoutMs);
    if (this.#cancelTimer === null) this.#arm(this.timeoutMs);
  }

  /** Ends the deadline of `item`, if it has one; the timer is left to find that out by itself. */
  delete(item: T): void {
    this.#dueAt.delete(item);
  }

  /** Whether `item` has a deadline. */
  has(item: T): boolean {
    return this.#dueAt.has(item);
  }

  /** Ends all deadlines. */
  clear(): void {
    this.#dueAt.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #arm(inMs: number): void {
    this.#cancelTimer = this.clock.setTimeout(() => {
      this.#cancelTimer = null;
      this.#expire();
    }, inMs);
  }

  #expire(): void {
    const now = this.clock.monotonicMs();
    for (const [item, dueAt] of this.#dueAt) {
      if (dueAt > now) {
        if (this.#cancelTimer === null) this.#arm(dueAt - now);
        return;
      }
      this.#dueAt.delete(item);
      this.onExpired(item);
    }
  }
}
