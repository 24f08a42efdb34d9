import type { Clock } from "./clock.js";

/** What has a deadline. */
export interface Expiring {
  /** Called once the deadline has passed. */
  expire(): void;
}

/** Deadlines that are all equally far away: one timer serves any number of them, as they fall due in the order they came. */
export class DeadlineQueue {
  /** When each falls due, in monotonic ms. */
  readonly #dueMs = new Map<Expiring, number>();
  #cancelTimer: (() => void) | null = null;

  constructor(
    readonly clock: Clock,
    readonly deadlineMs: number,
  ) {}

  /** Begins the deadline of an item that has none. */
  add(item: Expiring): void {
    this.#dueMs.set(item, this.clock.monotonicMs() + this.deadlineMs);
    if (this.#cancelTimer === null) this.#arm(this.deadlineMs);
  }

  /** Ends the deadline of an item, if it has one; with the last one the timer ends, too. */
  delete(item: Expiring): void {
    if (!this.#dueMs.delete(item) || this.#dueMs.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #arm(afterMs: number): void {
    this.#cancelTimer = this.clock.setTimeout(() => {
      this.#cancelTimer = null;
      this.#expire();
    }, afterMs);
  }

  #expire(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [item, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) {
        if (this.#cancelTimer === null) this.#arm(dueMs - nowMs);
        return;
      }
      this.#dueMs.delete(item);
      item.expire();
    }
  }
}
