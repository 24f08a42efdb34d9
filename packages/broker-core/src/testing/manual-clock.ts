import type { Clock } from "../clock.js";

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimeout(run: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** How many timers wait: a test that closed everything sees 0. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves both times on and calls what falls due, in order, each with the promises before it settled. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#moveTo(Math.max(due.atMs, this.#monotonicMs));
      this.#timers.delete(due);
      due.run();
      await settle();
    }
    this.#moveTo(untilMs);
    await settle();
  }

  /** Sets the wall clock alone, as an administrator or NTP would. */
  jumpTo(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Moves both times on as while a machine slept: what fell due meanwhile is only called by the next `advance`. */
  leap(byMs: number): void {
    this.#moveTo(this.#monotonicMs + byMs);
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets every promise that is ready run. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
