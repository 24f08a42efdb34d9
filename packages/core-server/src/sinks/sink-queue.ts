import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import type { AlertMessage, AlertSinkStatus } from "@continuum/wire-types";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";
import type { AlertSink } from "./alert-sink.js";
import { nextAttemptMs } from "./retry-policy.js";
import { SinkError } from "./sink-error.js";

/** Messages that wait for a sink at most; beyond, the oldest is dropped: what is newer tells more. */
export const MAX_WAITING = 64;
/** How often the same failure, or more drops, are warned of, in ms. */
const REPEAT_WARNING_MS = 3_600_000;

interface Waiting {
  readonly message: AlertMessage;
  readonly sinceMs: number;
  attempts: number;
}

/** What a queue needs. */
export interface SinkQueueOptions {
  /** Unique among the sinks of a core. */
  readonly name: string;
  readonly sink: AlertSink;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is open now, for a sink that reminds its receiver. */
  readonly openMessages: () => readonly AlertMessage[];
  readonly random: () => number;
}

/**
 * Delivers messages to one sink, in order, one at a time, apart from everything else: `offer` only notes the message,
 * and whatever the sink does, nobody waits for it and no other sink hears of it.
 */
export class SinkQueue {
  readonly #waiting: Waiting[] = [];
  readonly #abort = new AbortController();
  #isRefreshDue = false;
  #isRunning = false;
  #isClosing = false;
  #done: Promise<void> = Promise.resolve();
  /** Ends the waiting for the next attempt. */
  #wake: () => void = () => undefined;
  #state: AlertSinkStatus["state"] = "idle";
  #delivered = 0;
  #failedAttempts = 0;
  #dropped = 0;
  #lastDeliveredAtMs: number | null = null;
  #lastError: string | null = null;
  #retryAtMs: number | null = null;
  /** Whether the last attempt failed. */
  #isFailing = false;
  readonly #warnedMs = new Map<string, number>();

  constructor(private readonly options: SinkQueueOptions) {}

  /** Notes a message; it is delivered later. */
  offer(message: AlertMessage): void {
    if (this.#isClosing) return;
    this.#waiting.push({ message, sinceMs: this.options.clock.monotonicMs(), attempts: 0 });
    // The first one may be on its way.
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.splice(1, 1);
      this.#drop(1, `more than ${MAX_WAITING} wait`);
    }
    this.#run();
  }

  /** Has what is open told again, once what waits is delivered. */
  refresh(): void {
    if (this.#isClosing || this.options.sink.refresh === undefined) return;
    this.#isRefreshDue = true;
    this.#run();
  }

  /** How the sink fares. */
  status(): AlertSinkStatus {
    const { kind, target } = this.options.sink;
    return {
      name: this.options.name,
      kind,
      target,
      state: this.#state,
      queued: this.#waiting.length,
      delivered: this.#delivered,
      failedAttempts: this.#failedAttempts,
      dropped: this.#dropped,
      lastDeliveredAtMs: this.#lastDeliveredAtMs,
      lastError: this.#lastError,
      retryAtMs: this.#retryAtMs,
    };
  }

  /** Tries what waits once more, at once; what isn't delivered within `withinMs` is dropped and said. */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true;
    this.#isRefreshDue = false;
    this.#wake();
    const cancel = this.options.clock.setTimeout(() => this.#abort.abort(), withinMs);
    await this.#done;
    cancel();
    this.#abort.abort();
    const left = this.#waiting.splice(0).length;
    if (left > 0) this.#drop(left, "the core stops");
    this.#state = "stopped";
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // In a turn of its own: who offers a message must not wait for the beginning of its delivery either.
    this.#done = Promise.resolve().then(() => this.#work());
  }

  async #work(): Promise<void> {
    let refreshAttempts = 0;
    for (;;) {
      const first = this.#waiting[0];
      if (this.#isCutOff() || (first === undefined && !this.#isRefreshDue)) break;
      this.#state = "delivering";
      const error = await this.#attempt(first?.message ?? null);
      if (error === null) {
        if (first === undefined) [this.#isRefreshDue, refreshAttempts] = [false, 0];
        else this.#onDelivered(first);
        continue;
      }
      const attempt = first === undefined ? (refreshAttempts += 1) : (first.attempts += 1);
      const { clock, random } = this.options;
      const ageMs = first === undefined ? 0 : clock.monotonicMs() - first.sinceMs;
      const { code, retryAfterMs } = error;
      const waitMs = this.#isClosing
        ? null
        : nextAttemptMs({ attempt, ageMs, code, retryAfterMs, random: random() });
      this.#onFailed(error, waitMs);
      if (waitMs !== null) await this.#pause(waitMs);
      else if (first === undefined) this.#isRefreshDue = false;
      // At a stop what is left is counted all at once.
      else if (!this.#isCutOff()) {
        this.#waiting.shift();
        this.#drop(1, error.message);
      }
    }
    // In the turn in which the loop saw that nothing waits: what is offered in the next one begins a new one.
    this.#isRunning = false;
    this.#state = "idle";
  }

  async #attempt(message: AlertMessage | null): Promise<SinkError | null> {
    const { sink, clock, name, openMessages } = this.options;
    const what = `alert sink ${name}`;
    try {
      await withDeadline(
        clock,
        { what, deadlineMs: sink.deadlineMs, outer: this.#abort.signal },
        async (signal) => {
          if (message !== null) await sink.deliver(message, signal);
          else await sink.refresh?.(openMessages(), signal);
        },
      );
      return null;
    } catch (error) {
      return toSinkError(error);
    }
  }

  #isCutOff(): boolean {
    return this.#abort.signal.aborted;
  }

  #onDelivered(item: Waiting): void {
    const { clock, log, name } = this.options;
    const at = this.#waiting.indexOf(item);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.#delivered += 1;
    this.#lastDeliveredAtMs = clock.nowMs();
    if (this.#isFailing) log.warn({ sink: name }, `alert sink ${name} delivers again`);
    this.#isFailing = false;
    this.#warnedMs.clear();
  }

  #onFailed(error: SinkError, waitMs: number | null): void {
    this.#failedAttempts += 1;
    this.#lastError = error.message;
    this.#isFailing = true;
    const next = waitMs === null ? "" : "; it is tried again";
    this.#warn(error.message, `alert sink ${this.options.name}: ${error.message}${next}`, error);
  }

  #drop(count: number, why: string): void {
    this.#dropped += count;
    const text = `alert sink ${this.options.name}: ${this.#dropped} alert(s) dropped so far: ${why}`;
    this.#warn(`dropped: ${why}`, text);
  }

  /** The same is warned of once in a while only. */
  #warn(key: string, text: string, error?: Error): void {
    const { clock, log, name } = this.options;
    const nowMs = clock.monotonicMs();
    const isNews = nowMs - (this.#warnedMs.get(key) ?? -Infinity) >= REPEAT_WARNING_MS;
    if (this.#warnedMs.size > 16) this.#warnedMs.clear();
    if (isNews) this.#warnedMs.set(key, nowMs);
    log[isNews ? "warn" : "debug"](
      { sink: name, ...(error === undefined ? {} : { code: codeOf(error) }) },
      text,
    );
  }

  #pause(waitMs: number): Promise<void> {
    const { clock } = this.options;
    this.#state = "waiting";
    this.#retryAtMs = Math.round(clock.nowMs() + waitMs);
    return new Promise((resolve) => {
      this.#wake = () => {
        cancel();
        this.#wake = () => undefined;
        this.#retryAtMs = null;
        resolve();
      };
      const cancel = clock.setTimeout(() => this.#wake(), waitMs);
    });
  }
}

function codeOf(error: Error): string {
  return error instanceof SinkError ? error.code : error.name;
}

/** A sink's bug fails its delivery, and nothing else. */
function toSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  if (error instanceof PoolError && (error.code === "timeout" || error.code === "aborted")) {
    return new SinkError(error.code, error.message, { cause: error });
  }
  return new SinkError("refused", toErrorText(error), { cause: error });
}
