import { type Clock, PoolError } from "@continuum/broker-core";

/** What the last walk found, and when. */
export interface WalkState<T> {
  readonly found: T;
  /** Unix milliseconds of its end. */
  readonly atMs: number;
  readonly endedAtMonotonicMs: number;
  readonly tookMs: number;
}

/** When walks begin and end. */
export interface WalkTimes {
  readonly gapMs: number;
  readonly deadlineMs: number;
}

/** Of all time, walks take at most a hundredth. */
const GAP_PER_WALK = 100;

/** Something slow that is done in the background, one at a time, not more often than it is worth. */
export class BackgroundWalk<T> {
  #last: WalkState<T> | null = null;
  #error: unknown = null;
  #flight: Promise<WalkState<T>> | null = null;
  #endedAtMs = -Infinity;
  #tookMs = 0;
  readonly #closed = new AbortController();

  constructor(
    private readonly clock: Clock,
    private readonly times: WalkTimes,
    private readonly walk: (signal: AbortSignal) => Promise<T>,
  ) {}

  /** The last walk that came to its end; null before the first. */
  get last(): WalkState<T> | null {
    return this.#last;
  }

  /** Why the latest walk failed; null when it didn't. */
  get error(): unknown {
    return this.#error;
  }

  get isWalking(): boolean {
    return this.#flight !== null;
  }

  /** Whether the last walk is older than it may be: three gaps, and at least a quarter of an hour. */
  get isStale(): boolean {
    if (this.#last === null) return true;
    return this.clock.monotonicMs() - this.#last.endedAtMonotonicMs > Math.max(900_000, 3 * this.#gapMs);
  }

  /** Begins a walk if one is due; its failure is kept in `error`. */
  startIfDue(): void {
    if (this.clock.monotonicMs() - this.#endedAtMs >= this.#gapMs) this.startNow();
  }

  /** Begins a walk, unless one is under way, before it is due: what the last one found isn't there any more. */
  startNow(): void {
    if (this.#flight !== null || this.#closed.signal.aborted) return;
    this.#start().catch(() => undefined);
  }

  /** The walk under way, or one that begins now. */
  current(): Promise<WalkState<T>> {
    return this.#flight ?? this.#start();
  }

  /** A walk that begins after this call. */
  async afresh(): Promise<WalkState<T>> {
    await this.#flight?.catch(() => undefined);
    return await this.current();
  }

  /** Aborts what is under way and waits for its end. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#flight?.catch(() => undefined);
  }

  get #gapMs(): number {
    return Math.max(this.times.gapMs, GAP_PER_WALK * this.#tookMs);
  }

  #start(): Promise<WalkState<T>> {
    this.#flight = this.#run().finally(() => (this.#flight = null));
    return this.#flight;
  }

  async #run(): Promise<WalkState<T>> {
    const deadline = new AbortController();
    const startedAtMs = this.clock.monotonicMs();
    const cancel = this.clock.setTimeout(() => {
      deadline.abort();
    }, this.times.deadlineMs);
    try {
      const found = await this.walk(AbortSignal.any([deadline.signal, this.#closed.signal]));
      const endedAtMonotonicMs = this.clock.monotonicMs();
      const tookMs = endedAtMonotonicMs - startedAtMs;
      this.#last = { found, atMs: this.clock.nowMs(), endedAtMonotonicMs, tookMs };
      this.#error = null;
      return this.#last;
    } catch (error) {
      this.#error = deadline.signal.aborted
        ? new PoolError("timeout", `the walk took longer than ${this.times.deadlineMs} ms`, { cause: error })
        : error;
      throw this.#error;
    } finally {
      cancel();
      this.#endedAtMs = this.clock.monotonicMs();
      this.#tookMs = this.#endedAtMs - startedAtMs;
    }
  }
}
