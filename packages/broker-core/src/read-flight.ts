import { checkReading } from "./check-reading.js";
import type { DeadlineQueue, Expiring } from "./deadline-queue.js";
import { PoolError } from "./pool-error.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";

/** Hears how a read ended, before whoever asked for it. */
export interface FlightListener {
  /** It is over: by a reading, or without one. Called once. */
  onEnd(reading: PoolReading | null): void;
  /** The pool has answered, however late. Called once, or never. */
  onAnswer(): void;
}

/** One read of a pool, from the question to the answer, its deadline, or its end from outside. */
export class ReadFlight implements Expiring {
  readonly promise: Promise<PoolReading>;
  readonly #abort = new AbortController();
  readonly #startedMs: number;
  #settle: { resolve: (reading: PoolReading) => void; reject: (error: unknown) => void } | null = null;

  constructor(
    private readonly pool: ResourcePool,
    private readonly deadlines: DeadlineQueue,
    private readonly listener: FlightListener,
  ) {
    this.#startedMs = deadlines.clock.monotonicMs();
    this.promise = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    deadlines.add(this);
    void this.#ask();
  }

  /** The deadline has passed: the pool's signal aborts, and what it answers later goes nowhere. */
  expire(): void {
    const { pool, deadlines } = this;
    this.end(
      new PoolError("timeout", `reading pool ${pool.name} took longer than ${deadlines.deadlineMs} ms`),
    );
  }

  /** Ends it from outside, unless it is over. */
  end(error: PoolError): void {
    if (this.#settle === null) return;
    this.#fail(error);
    this.#abort.abort(error);
  }

  async #ask(): Promise<void> {
    const { pool, deadlines, listener } = this;
    try {
      // Within this function a synchronous throw is caught as well.
      const reading = checkReading(pool.name, await pool.read(this.#abort.signal));
      listener.onAnswer();
      if (this.#settle === null) return;
      // The machine may have slept meanwhile: what was seen then is of another moment, though no timer has said so yet.
      if (deadlines.clock.monotonicMs() - this.#startedMs > deadlines.deadlineMs) this.expire();
      else this.#succeed(reading);
    } catch (error) {
      listener.onAnswer();
      this.#fail(error);
    }
  }

  #succeed(reading: PoolReading): void {
    const settle = this.#settle;
    this.#end(reading);
    settle?.resolve(reading);
  }

  #fail(error: unknown): void {
    if (this.#settle === null) return;
    const settle = this.#settle;
    this.#end(null);
    settle.reject(error);
  }

  #end(reading: PoolReading | null): void {
    this.#settle = null;
    this.deadlines.delete(this);
    this.listener.onEnd(reading);
  }
}
