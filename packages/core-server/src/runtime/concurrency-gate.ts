import { RequestError } from "../request-error.js";
import type { RequestOwner } from "./command-handlers.js";
import { FairQueue } from "./fair-queue.js";

/** How many requests wait for a busy module before more are refused. */
export const DEFAULT_MAX_QUEUED = 8192;

/** Of the places to wait, the share that is kept for connections with few tasks waiting. */
const RESERVED_SHARE = 0.5;
/** A connection with fewer tasks waiting may use what is reserved. */
const LIGHT_WAITING = 8;

/** Told how a task ended: null, or what it failed with. */
export type OnEnd = (failure: { readonly error: unknown } | null) => void;

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
   * place of a task that doesn't heed that is given to the next all the same. `onEnd` is told how it ended, once.
   */
  run<T>(task: () => T | Promise<T>, owner: RequestOwner, onEnd: OnEnd): T | Promise<T> {
    if (this.#running < this.maxRunning) {
      this.#running += 1;
      return this.#enter(task, owner, onEnd);
    }
    return this.#wait(owner, onEnd).then(() => this.#enter(task, owner, onEnd));
  }

  #enter<T>(task: () => T | Promise<T>, owner: RequestOwner, onEnd: OnEnd): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = task();
    } catch (error) {
      this.#leave();
      onEnd({ error });
      throw error;
    }
    // Most tasks answer at once: they cost no promise.
    if (result instanceof Promise) return this.#settled(result, owner, onEnd);
    this.#leave();
    onEnd(null);
    return result;
  }

  #settled<T>(result: Promise<T>, owner: RequestOwner, onEnd: OnEnd): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (failure: { readonly error: unknown } | null): void => {
        if (isOver) return;
        isOver = true;
        this.#leave();
        onEnd(failure);
      };
      result.then(
        (value) => {
          end(null);
          resolve(value);
        },
        (error: unknown) => {
          end({ error });
          // Rejects with it as it came: whoever waits converts it.
          resolve(result);
        },
      );
      owner.onAborted((error) => {
        end({ error });
        reject(error);
      });
    });
  }

  #refuse(onEnd: OnEnd): RequestError {
    const reason = `${this.name} has ${this.#running} requests running and ${this.#waiting.size} waiting`;
    const error = new RequestError(`overloaded: ${reason}`, { kind: "overloaded", reason });
    onEnd({ error });
    return error;
  }

  #wait(owner: RequestOwner, onEnd: OnEnd): Promise<void> {
    const { connection = this } = owner;
    const isLight = this.#waiting.sizeOf(connection) < LIGHT_WAITING;
    const room = isLight ? this.maxQueued : Math.ceil(this.maxQueued * (1 - RESERVED_SHARE));
    if (this.#waiting.size >= room) throw this.#refuse(onEnd);
    return new Promise((resolve, reject) => {
      this.#waiting.add(connection, resolve);
      owner.onAborted((error) => {
        // One that was let in meanwhile keeps its place until its task ends.
        if (!this.#waiting.delete(connection, resolve)) return;
        onEnd({ error });
        reject(error);
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
