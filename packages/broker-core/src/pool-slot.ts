import { type BackOff, NO_BACK_OFF, afterReading } from "./back-off.js";
import { checkReading } from "./check-reading.js";
import type { Clock } from "./clock.js";
import type { DeadlineQueue } from "./deadline-queue.js";
import { PoolError } from "./pool-error.js";
import type { PoolPolicy } from "./pool-policy.js";
import { PoolReader } from "./pool-reader.js";
import { toBindingPressure } from "./pressure.js";
import { afterReliefReading, NO_RELIEF, type ReliefProgress } from "./relief-progress.js";
import { ReadingHistory } from "./reading-history.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";
import { withDeadline } from "./with-deadline.js";

/** A registered pool with what the broker knows of it. */
export class PoolSlot {
  readonly history = new ReadingHistory();
  /** The newest reading, marked stale when a later one couldn't be had; null before the first. */
  reading: PoolReading | null = null;
  /** How often `reading` was set. */
  revision = 0;
  /** When that reading came, in monotonic ms. */
  readingAtMs = -Infinity;
  backOff: BackOff = NO_BACK_OFF;
  relief: ReliefProgress = NO_RELIEF;
  /** What the last round did with the pool, or why it did nothing. */
  lastDecision: string | null = null;
  readonly #clock: Clock;
  readonly #reader: PoolReader;
  readonly #retired = new AbortController();

  constructor(
    readonly pool: ResourcePool,
    readonly policy: PoolPolicy,
    private readonly readDeadlines: DeadlineQueue,
  ) {
    this.#clock = readDeadlines.clock;
    this.#reader = new PoolReader(pool, readDeadlines, (reading) => {
      if (reading !== null) this.#accept(reading);
      else if (this.reading !== null) this.#set({ ...this.reading, stale: true });
    });
  }

  /** Aborts when the pool is replaced or unregistered, or the broker closes. */
  get retired(): AbortSignal {
    return this.#retired.signal;
  }

  /**
   * The newest reading as a decision may use it: one that is older than a read may take is as good as stale, so that a
   * pool that hangs isn't judged by what it once was.
   */
  usableReading(): PoolReading | null {
    if (this.reading === null || this.reading.stale) return this.reading;
    const ageMs = this.#clock.monotonicMs() - this.readingAtMs;
    return ageMs <= this.readDeadlines.deadlineMs ? this.reading : { ...this.reading, stale: true };
  }

  /** Ends what is under way for this pool. */
  retire(): void {
    this.#retired.abort();
    this.#reader.retire();
  }

  /**
   * Reads the pool, with a deadline at which its signal aborts; see PoolReader. `signal` ends only this caller's
   * waiting.
   */
  read(signal?: AbortSignal): Promise<PoolReading> {
    if (signal === undefined) return this.#reader.read();
    if (signal.aborted) return Promise.reject(this.#abortedError());
    return this.#untilAborted(this.#reader.read(), signal);
  }

  /** A reading that begins after this call. */
  readAfresh(): Promise<PoolReading> {
    return this.#reader.readAfresh();
  }

  /** One more reading of a pool that is retired: what its last eviction came to. It isn't kept. */
  async readLast(deadlineMs: number): Promise<PoolReading> {
    const { pool } = this;
    const what = `reading pool ${pool.name}`;
    return checkReading(
      pool.name,
      await withDeadline(this.#clock, { what, deadlineMs }, (signal) => pool.read(signal)),
    );
  }

  #untilAborted(flight: Promise<PoolReading>, signal: AbortSignal): Promise<PoolReading> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(this.#abortedError());
      };
      signal.addEventListener("abort", onAbort, { once: true });
      flight
        .finally(() => {
          signal.removeEventListener("abort", onAbort);
        })
        .then(resolve, reject);
    });
  }

  #abortedError(): PoolError {
    return new PoolError("aborted", `reading pool ${this.pool.name} was aborted`);
  }

  #set(reading: PoolReading): void {
    this.reading = reading;
    this.revision += 1;
  }

  #accept(reading: PoolReading): void {
    this.#set(reading);
    this.readingAtMs = this.#clock.monotonicMs();
    this.history.add(reading, this.readingAtMs);
    if (reading.stale) return;
    const { pressure } = toBindingPressure(reading);
    const calm = pressure < this.policy.actAbove;
    this.relief = afterReliefReading(this.relief, pressure, this.policy);
    this.backOff = afterReading(this.backOff, {
      usedBytes: reading.usedBytes,
      capacityBytes: reading.capacityBytes,
      calm,
    });
  }
}
