/** How late a deadline may be noticed, in ms; it is never early. */
const TICK_MS = 20;
/** The longest delay that a timer of Node takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Items that expire together. */
interface Bucket {
  readonly tick: number;
  first: Expiring | null;
}

/** Something with a deadline: it is kept in at most one bucket of a `Deadlines`. */
export abstract class Expiring {
  /** Where it is; owned by `Deadlines`, as are the next two. */
  bucket: Bucket | null = null;
  previousInBucket: Expiring | null = null;
  nextInBucket: Expiring | null = null;

  /** Whether the process is to be kept alive until it expires or is forgotten. */
  get keepsAlive(): boolean {
    return true;
  }

  /** Called once when the deadline has passed. */
  abstract expire(): void;
}

/**
 * The deadlines of any number of requests on one timer: they are put into buckets of 20 ms, and the timer runs for
 * the earliest bucket only. It keeps the process alive while somebody waits for one of them.
 */
export class Deadlines {
  readonly #buckets = new Map<number, Bucket>();
  #timer: NodeJS.Timeout | null = null;
  #armedTick = Infinity;
  /** Those that keep the process alive. */
  #awaited = 0;

  constructor(private readonly nowMs: () => number) {}

  /** Calls `item.expire()` after `delayMs` from `nowMs` on, up to 20 ms late. */
  add(item: Expiring, delayMs: number, nowMs: number = this.nowMs()): void {
    const tick = Math.ceil((nowMs + delayMs) / TICK_MS);
    const bucket = this.#bucketOf(tick);
    item.bucket = bucket;
    item.nextInBucket = bucket.first;
    if (bucket.first !== null) bucket.first.previousInBucket = item;
    bucket.first = item;
    if (item.keepsAlive) this.#awaited += 1;
    if (tick < this.#armedTick) this.#arm(tick);
    else if (item.keepsAlive && this.#awaited === 1) this.#timer?.ref();
  }

  /** Forgets the item; it will not expire. */
  delete(item: Expiring): void {
    const { bucket, previousInBucket: previous, nextInBucket: next } = item;
    if (bucket === null) return;
    if (previous === null) bucket.first = next;
    else previous.nextInBucket = next;
    if (next !== null) next.previousInBucket = previous;
    item.bucket = null;
    item.previousInBucket = null;
    item.nextInBucket = null;
    // The timer stays armed for the empty bucket: arming anew for each request is what this class avoids.
    if (bucket.first === null) this.#buckets.delete(bucket.tick);
    if (!item.keepsAlive) return;
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#timer?.unref();
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    for (const bucket of this.#buckets.values()) while (bucket.first !== null) this.delete(bucket.first);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#armedTick = Infinity;
  }

  #bucketOf(tick: number): Bucket {
    const known = this.#buckets.get(tick);
    if (known !== undefined) return known;
    const bucket: Bucket = { tick, first: null };
    this.#buckets.set(tick, bucket);
    return bucket;
  }

  #arm(tick: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#armedTick = tick;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, tick * TICK_MS - this.nowMs()));
    this.#timer = setTimeout(() => this.#fire(), Math.ceil(delayMs));
    if (this.#awaited === 0) this.#timer.unref();
  }

  #fire(): void {
    this.#timer = null;
    this.#armedTick = Infinity;
    const due = Math.floor(this.nowMs() / TICK_MS);
    let next = Infinity;
    const expired: Bucket[] = [];
    for (const bucket of this.#buckets.values()) {
      if (bucket.tick > due) next = Math.min(next, bucket.tick);
      else expired.push(bucket);
    }
    if (next < Infinity) this.#arm(next);
    for (const bucket of expired) {
      // One by one: one that expires may withdraw others.
      for (let item = bucket.first; item !== null; item = bucket.first) {
        this.delete(item);
        item.expire();
      }
    }
  }
}
