import { PoolError } from "@continuum/broker-core";
import { EvictionError } from "./eviction-error.js";

/** Lets one eviction, undo or recovery of a disk run at a time: whoever comes meanwhile is turned away, and told what runs. */
export class OneAtATime {
  #running: { readonly id: string; readonly ended: Promise<void> } | null = null;

  /** Whether something is running. */
  get isBusy(): boolean {
    return this.#running !== null;
  }

  /** Runs `work`, which an earlier check has let in; gives what it gives, and rejects as it does. */
  async run<T>(id: string, work: () => Promise<T>): Promise<T> {
    const running = work();
    const ended = running.then(
      () => undefined,
      () => undefined,
    );
    this.#running = { id, ended };
    try {
      return await running;
    } finally {
      this.#running = null;
    }
  }

  /** Resolves when nothing is running, never rejects. */
  async ended(): Promise<void> {
    await this.#running?.ended;
  }

  /** Throws an EvictionError `evictionRunning` while something is running: the answer to a person. */
  refuseWhileBusy(): void {
    if (this.#running === null) return;
    const { id: evictionId } = this.#running;
    throw new EvictionError(`another eviction (${evictionId}) is running: try again when it has ended`, {
      kind: "evictionRunning",
      evictionId,
    });
  }

  /** The same for a broker: throws a PoolError `conflict`. */
  conflictWhileBusy(): void {
    if (this.#running !== null) {
      throw new PoolError("conflict", "an eviction of Docker's disk is running already");
    }
  }
}
