import { type BackOff, NO_BACK_OFF, afterReading } from "./back-off.js";
import { checkReading } from "./check-reading.js";
import type { Clock } from "./clock.js";
import { PoolError } from "./pool-error.js";
import type { PoolPolicy } from "./pool-policy.js";
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
  /** When that reading came, in monotonic ms. */
  readingAtMs = -Infinity;
  backOff: BackOff = NO_BACK_OFF;
  relief: ReliefProgress = NO_RELIEF;
  /** What the last round did with the pool, or why it did nothing. */
  lastDecision: string | null = null;
  readonly #retired = new AbortController();
  /** The reading under way, until it is accepted or its deadline has passed. */
  #flight: Promise<PoolReading> | null = null;
  /** Whether the pool has a read that it hasn't ended, however late. */
  #isHanging = false;

  constructor(
    readonly pool: ResourcePool,
    readonly policy: PoolPolicy,
    private readonly clock: Clock,
    private readonly readDeadlineMs: number,
  ) {}

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
    const ageMs = this.clock.monotonicMs() - this.readingAtMs;
    return ageMs <= this.readDeadlineMs ? this.reading : { ...this.reading, stale: true };
  }

  /** Ends what is under way for this pool. */
  retire(): void {
    this.#retired.abort();
  }

  /**
   * Reads the pool, with a deadline at which its signal aborts. Callers at the same time share one reading; `signal`
   * ends only this caller's waiting. A pool that is late and doesn't listen isn't asked again until it has answered,
   * and what it answers then is dropped. Rejects with what the pool threw, or a PoolError.
   */
  read(signal?: AbortSignal): Promise<PoolReading> {
    if (signal?.aborted === true) return Promise.reject(this.#abortedError());
    this.#flight ??= this.#fly().finally(() => (this.#flight = null));
    return signal === undefined ? this.#flight : this.#untilAborted(this.#flight, signal);
  }

  /** A reading that begins after this call: one that is under way may have seen the pool as it was before. */
  async readAfresh(): Promise<PoolReading> {
    await this.#flight?.catch(() => undefined);
    return this.read();
  }

  /** One more reading of a pool that is retired: what its last eviction came to. It isn't kept. */
  async readLast(deadlineMs: number): Promise<PoolReading> {
    const { pool, clock } = this;
    const what = `reading pool ${pool.name}`;
    return checkReading(
      pool.name,
      await withDeadline(clock, { what, deadlineMs }, (signal) => pool.read(signal)),
    );
  }

  async #fly(): Promise<PoolReading> {
    const { pool, clock, readDeadlineMs: deadlineMs, retired: outer } = this;
    const what = `reading pool ${pool.name}`;
    try {
      if (this.#isHanging) throw new PoolError("timeout", `${what}: an earlier read still hasn't ended`);
      const reading = await withDeadline(clock, { what, deadlineMs, outer }, async (signal) => {
        this.#isHanging = true;
        try {
          return checkReading(pool.name, await pool.read(signal));
        } finally {
          this.#isHanging = false;
        }
      });
      this.#accept(reading);
      return reading;
    } catch (error) {
      if (this.reading !== null) this.reading = { ...this.reading, stale: true };
      throw error;
    }
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

  #accept(reading: PoolReading): void {
    this.reading = reading;
    this.readingAtMs = this.clock.monotonicMs();
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
