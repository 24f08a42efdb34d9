import { type BackOff, NO_BACK_OFF, afterReading } from "./back-off.js";
import { checkReading } from "./check-reading.js";
import type { Clock } from "./clock.js";
import type { PoolPolicy } from "./pool-policy.js";
import { ReadingHistory } from "./reading-history.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";
import { withDeadline } from "./with-deadline.js";

/** A registered pool with what the broker knows of it. */
export class PoolSlot {
  readonly history = new ReadingHistory();
  /** The newest reading, marked stale when a later one couldn't be had; null before the first. */
  reading: PoolReading | null = null;
  backOff: BackOff = NO_BACK_OFF;
  isEvicting = false;
  readonly #retired = new AbortController();
  #pending: Promise<PoolReading> | null = null;

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

  /** Ends what is under way for this pool. */
  retire(): void {
    this.#retired.abort();
  }

  /**
   * Reads the pool, with a deadline. One call at a time reaches the pool: while a read hangs, further ones fail at their
   * own deadline without piling up behind it. Rejects with what the pool threw, or a PoolError.
   */
  async read(signal?: AbortSignal): Promise<PoolReading> {
    const { clock, readDeadlineMs: deadlineMs } = this;
    const what = `reading pool ${this.pool.name}`;
    try {
      const reading = await withDeadline(clock, { what, deadlineMs, outer: signal }, () => this.#readOnce());
      this.#accept(reading);
      return reading;
    } catch (error) {
      if (this.reading !== null) this.reading = { ...this.reading, stale: true };
      throw error;
    }
  }

  #readOnce(): Promise<PoolReading> {
    const { name } = this.pool;
    this.#pending ??= Promise.resolve()
      .then(() => this.pool.read(this.retired))
      .then((reading) => checkReading(name, reading))
      .finally(() => (this.#pending = null));
    return this.#pending;
  }

  #accept(reading: PoolReading): void {
    this.reading = reading;
    this.history.add(reading, this.clock.monotonicMs());
    if (reading.stale) return;
    const calm = reading.pressure < this.policy.actAbove;
    this.backOff = afterReading(this.backOff, {
      usedBytes: reading.usedBytes,
      capacityBytes: reading.capacityBytes,
      calm,
    });
  }
}
