import type { Clock } from "@continuum/broker-core";

/** The place of an item in one DeadlineList: made once by whoever has the deadline, and used again. */
export class Deadline<T> {
  /** Owned by the list; no deadline runs while it is NaN. */
  dueAtMs = Number.NaN;
  previous: Deadline<T> | null = null;
  next: Deadline<T> | null = null;

  constructor(readonly item: T) {}
}

/**
 * Deadlines that are all equally far away: one timer serves any number of them, because they expire in the order
 * in which they were added.
 *
 * A linked list whose items let go of each other when they leave. The tables of a Map that sees many items come and go
 * point to their successors: one that outlived a collection drags all that follow, dead or alive, into the old
 * generation, and requests cost twice as much from then on.
 */
export class DeadlineList<T> {
  #first: Deadline<T> | null = null;
  #last: Deadline<T> | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly timeoutMs: number,
    private readonly onExpired: (item: T) => void,
  ) {}

  /** Starts (or starts again) a deadline. */
  add(deadline: Deadline<T>): void {
    this.delete(deadline);
    deadline.dueAtMs = this.clock.monotonicMs() + this.timeoutMs;
    deadline.previous = this.#last;
    if (this.#last === null) this.#first = deadline;
    else this.#last.next = deadline;
    this.#last = deadline;
    if (this.#cancelTimer === null) this.#arm(this.timeoutMs);
  }

  /** Ends a deadline, if it runs; the timer is left to find that out by itself. */
  delete(deadline: Deadline<T>): void {
    if (!this.has(deadline)) return;
    const { previous, next } = deadline;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.dueAtMs = Number.NaN;
  }

  /** Whether a deadline runs. */
  has(deadline: Deadline<T>): boolean {
    return !Number.isNaN(deadline.dueAtMs);
  }

  /** Ends all deadlines. */
  clear(): void {
    while (this.#first !== null) this.delete(this.#first);
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
    for (let deadline = this.#first; deadline !== null; deadline = this.#first) {
      if (deadline.dueAtMs > now) {
        if (this.#cancelTimer === null) this.#arm(deadline.dueAtMs - now);
        return;
      }
      this.delete(deadline);
      this.onExpired(deadline.item);
    }
  }
}
