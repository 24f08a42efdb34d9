import type { DeadlineQueue } from "./deadline-queue.js";
import { PoolError } from "./pool-error.js";
import { type FlightListener, ReadFlight } from "./read-flight.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";

/** Reads one pool, once at a time, each time with a deadline at which the read's signal aborts. */
export class PoolReader implements FlightListener {
  /** The read under way, until its reading has come or its deadline has passed. */
  #flight: ReadFlight | null = null;
  /** Whether the pool has a read that it hasn't answered, however late. */
  #isHanging = false;
  #isRetired = false;

  constructor(
    private readonly pool: ResourcePool,
    private readonly deadlines: DeadlineQueue,
    /** Hears each reading before whoever asked for it, and null for each that couldn't be had. */
    private readonly onRead: (reading: PoolReading | null) => void,
  ) {}

  /**
   * A reading; callers at the same time share one. A pool that is late and doesn't listen isn't asked again until it
   * has answered, and what it answers then is dropped. Rejects with what the pool threw, or a PoolError.
   */
  read(): Promise<PoolReading> {
    if (this.#flight !== null) return this.#flight.promise;
    const what = `reading pool ${this.pool.name}`;
    if (this.#isRetired) return this.#refuse("aborted", `${what} was aborted`);
    if (this.#isHanging) return this.#refuse("timeout", `${what}: an earlier read still hasn't ended`);
    this.#isHanging = true;
    const flight = new ReadFlight(this.pool, this.deadlines, this);
    this.#flight = flight;
    return flight.promise;
  }

  /** A reading that begins after this call: one that is under way may have seen the pool as it was before. */
  async readAfresh(): Promise<PoolReading> {
    await this.#flight?.promise.catch(() => undefined);
    return this.read();
  }

  /** Ends the read under way, and refuses those to come. */
  retire(): void {
    this.#isRetired = true;
    this.#flight?.end(new PoolError("aborted", `reading pool ${this.pool.name} was aborted`));
  }

  onAnswer(): void {
    this.#isHanging = false;
  }

  onEnd(reading: PoolReading | null): void {
    this.#flight = null;
    this.onRead(reading);
  }

  #refuse(code: "aborted" | "timeout", message: string): Promise<never> {
    this.onRead(null);
    return Promise.reject(new PoolError(code, message));
  }
}
