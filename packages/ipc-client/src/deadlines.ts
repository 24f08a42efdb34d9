/** How late a deadline may be noticed, in ms; it is never early. */
const TICK_MS = 20;
/** The longest delay that a timer of Node takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Something with a deadline: it is kept in at most one bucket of a `Deadlines`. */
export interface Expiring {
  /** The bucket that it is in; owned by `Deadlines`. */
  deadlineTick: number | null;
  /** Called once when the deadline has passed. */
  expire(): void;
}

/**
 * The deadlines of any number of requests on one timer: they are put into buckets of 20 ms, and the timer runs for
 * the earliest bucket only. It never keeps the process alive.
 */
export class Deadlines {
  readonly #buckets = new Map<number, Set<Expiring>>();
  #timer: NodeJS.Timeout | null = null;
  #armedTick = Infinity;

  constructor(private readonly nowMs: () => number) {}

  /** Calls `item.expire()` after `delayMs` from `nowMs` on, up to 20 ms late. */
  add(item: Expiring, delayMs: number, nowMs: number = this.nowMs()): void {
    const tick = Math.ceil((nowMs + delayMs) / TICK_MS);
    item.deadlineTick = tick;
    const bucket = this.#buckets.get(tick);
    if (bucket === undefined) this.#buckets.set(tick, new Set([item]));
    else bucket.add(item);
    if (tick < this.#armedTick) this.#arm(tick);
  }

  /** Forgets the item; it will not expire. */
  delete(item: Expiring): void {
    const tick = item.deadlineTick;
    if (tick === null) return;
    item.deadlineTick = null;
    const bucket = this.#buckets.get(tick);
    bucket?.delete(item);
    // The timer stays armed for the empty bucket: arming anew for each request is what this class avoids.
    if (bucket?.size === 0) this.#buckets.delete(tick);
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    for (const bucket of this.#buckets.values()) for (const item of bucket) item.deadlineTick = null;
    this.#buckets.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#armedTick = Infinity;
  }

  #arm(tick: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#armedTick = tick;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, tick * TICK_MS - this.nowMs()));
    this.#timer = setTimeout(() => this.#fire(), Math.ceil(delayMs));
    this.#timer.unref();
  }

  #fire(): void {
    this.#timer = null;
    this.#armedTick = Infinity;
    const due = Math.floor(this.nowMs() / TICK_MS);
    let next = Infinity;
    const expired: Expiring[] = [];
    for (const [tick, bucket] of this.#buckets) {
      if (tick > due) next = Math.min(next, tick);
      else {
        expired.push(...bucket);
        this.#buckets.delete(tick);
      }
    }
    if (next < Infinity) this.#arm(next);
    for (const item of expired) {
      // One that expired before may have withdrawn it.
      if (item.deadlineTick === null) continue;
      item.deadlineTick = null;
      item.expire();
    }
  }
}
