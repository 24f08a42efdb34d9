/** Why events may be missing: the connection broke and was made again, or somebody was too slow. */
export type EventGap =
  | { readonly reason: "reconnected" }
  /** The core closed the connection, because this process didn't read its events in time; it was made again. */
  | { readonly reason: "dropped"; readonly message: string }
  /** `dropped` events of the oldest were thrown away. */
  | { readonly reason: "overflow"; readonly dropped: number };

/** How a subscription behaves. */
export interface EventStreamOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Told when events may have been missed; called on its own, before the next event is handed out. */
  readonly onGap?: ((gap: EventGap) => void) | undefined;
  /** Events kept for a consumer that is busy; the oldest are dropped beyond. Default 256. */
  readonly capacity?: number | undefined;
}

const DEFAULT_CAPACITY = 256;

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The events of a subscription, to be iterated once. It ends with its signal, with `return()` (a `break` out of
 * `for await`), with `await using`, or with the client; it fails when the core can't be reached or doesn't know the event.
 */
export class EventStream<T> implements AsyncIterableIterator<T> {
  readonly #queue: T[] = [];
  #waiters: Waiter<T>[] = [];
  #error: Error | null = null;
  #isEnded = false;
  readonly #onAbort = (): void => this.end();

  constructor(
    private readonly options: EventStreamOptions,
    private readonly onEnded: () => void,
  ) {
    if (options.signal?.aborted === true) this.#isEnded = true;
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether it takes no more events. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Hands an event to the consumer, or keeps it for when it asks. */
  push(event: T): void {
    if (this.#isEnded) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: event });
      return;
    }
    this.#queue.push(event);
    const dropped = this.#queue.length - (this.options.capacity ?? DEFAULT_CAPACITY);
    if (dropped <= 0) return;
    this.#queue.splice(0, dropped);
    this.gap({ reason: "overflow", dropped });
  }

  /** Says that events may be missing. */
  gap(gap: EventGap): void {
    const { onGap } = this.options;
    // On its own: an error in the callback is the caller's, and must not hurt the connection.
    if (onGap !== undefined && !this.#isEnded) queueMicrotask(() => onGap(gap));
  }

  /** Ends the stream: what is queued is still handed out, then `error` or the end. */
  end(error: Error | null = null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.options.signal?.removeEventListener("abort", this.#onAbort);
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
    this.onEnded();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length > 0) resolve({ done: false, value: this.#queue.shift() as T });
      else if (this.#isEnded) this.#finish({ resolve, reject });
      else this.#waiters.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.end();
    this.#queue.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The error is thrown once, then the stream is at its end, as generators do it. */
  #finish({ resolve, reject }: Waiter<T>): void {
    const error = this.#error;
    this.#error = null;
    if (error === null) resolve({ done: true, value: undefined });
    else reject(error);
  }
}
