import { RequestError } from "../request-error.js";
import type { RequestOwner } from "./command-handlers.js";
import { FairQueue } from "./fair-queue.js";

/** How many requests wait for a busy module before more are refused. */
export const DEFAULT_MAX_QUEUED = 8192;

/** Of the places to wait, the share that is kept for connections with few tasks waiting. */
const RESERVED_SHARE = 0.5;
/** A connection with fewer tasks waiting may use what is reserved. */
const LIGHT_WAITING = 8;

/**
 * Lets a limited number of tasks run at once; a limited number more wait, each connection's first come, first served, and
 * the connections in turn: one that asks for a thousand things doesn't keep another from its one.
 */
export class ConcurrencyGate {
  #running = 0;
  readonly #waiting = new FairQueue<() => void>();

  constructor(
    private readonly name: string,
    private readonly maxRunning: number,
    private readonly maxQueued: number,
  ) {}

  /** Tasks that run now. */
  get running(): number {
    return this.#running;
  }

  /** Tasks that wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `task` when there is room, and gives what it gives: at once if it can. Throws or rejects with a RequestError
   * `overloaded` when the queue is full, with what the task threw, and with the reason when its owner gives up: the
   * place of a task that doesn't heed that is given to the next all the same.
   */
  run<T>(task: () => T | Promise<T>, owner: RequestOwner): T | Promise<T> {
    if (this.#running >= this.maxRunning) return this.#wait(owner).then(() => this.#enter(task, owner));
    this.#running += 1;
    return this.#enter(task, owner);
  }

  #enter<T>(task: () => T | Promise<T>, owner: RequestOwner): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = task();
    } catch (error) {
      this.#leave();
      throw error;
    }
    // Most tasks answer at once: they cost no promise.
    if (result instanceof Promise) return this.#settled(result, owner);
    this.#leave();
    return result;
  }

  #settled<T>(result: Promise<T>, owner: RequestOwner): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const leave = (): void => {
        if (!isOver) this.#leave();
        isOver = true;
      };
      result.then(
        (value) => {
          leave();
          resolve(value);
        },
        (error: unknown) => {
          leave();
          // As it came: whoever waits converts it.
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
          reject(error);
        },
      );
      owner.onAborted((reason) => {
        leave();
        reject(reason);
      });
    });
  }

  #wait(owner: RequestOwner): Promise<void> {
    const { connection = this } = owner;
    const isLight = this.#waiting.sizeOf(connection) < LIGHT_WAITING;
    const room = isLight ? this.maxQueued : Math.ceil(this.maxQueued * (1 - RESERVED_SHARE));
    if (this.#waiting.size >= room) {
      const reason = `${this.name} has ${this.#running} requests running and ${this.#waiting.size} waiting`;
      throw new RequestError(`overloaded: ${reason}`, { kind: "overloaded", reason });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add(connection, resolve);
      owner.onAborted((reason) => {
        // One that was let in meanwhile keeps its place until its task ends.
        if (this.#waiting.delete(connection, resolve)) reject(reason);
      });
    });
  }

  /** The place of a task that ended goes to the next one that waits: the count stays as it is. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
