import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import type { AlertMessage, AlertSinkStatus } from "@continuum/wire-types";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";
import type { AlertSink } from "./alert-sink.js";
import { decodeKeptMessages, type MessageStore } from "./kept-messages.js";
import { MAX_AGE_MS, nextAttemptMs } from "./retry-policy.js";
import { SinkError } from "./sink-error.js";

/** Messages that wait for a sink at most; beyond, the oldest is dropped: what is newer tells more. */
export const MAX_WAITING = 64;
/** How often the same failure, or more drops, are warned of, in ms. */
const REPEAT_WARNING_MS = 3_600_000;

interface Waiting {
  readonly message: AlertMessage;
  readonly sinceMs: number;
  /** The same by the wall clock, for a core that comes later. */
  readonly sinceWallMs: number;
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
  /** Keeps what waits over a restart; what waits at a stop is dropped when left out. */
  readonly store?: MessageStore;
}

/**
 * Delivers messages to one sink, in order, one at a time, apart from everything else: `offer` only notes the message,
 * and whatever the sink does, nobody waits for it and no other sink hears of it.
 */
export class SinkQueue {
  readonly #waiting: Waiting[] = [];
  /** What failed once more at the stop: it is left to the next core. */
  readonly #left: Waiting[] = [];
  readonly #abort = new AbortController();
  #isTakenUp = false;
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
    // What is kept must not be put over before it was read.
    this.takeUp();
    const { clock } = this.options;
    this.#waiting.push({
      message,
      sinceMs: clock.monotonicMs(),
      sinceWallMs: clock.nowMs(),
      attempts: 0,
    });
    this.#bound();
    this.#keep();
    this.#run();
  }

  /** Takes up what an earlier core left, once, before all that is newer; what is too old by now is dropped. */
  takeUp(): void {
    if (this.#isTakenUp) return;
    this.#isTakenUp = true;
    const { clock, store } = this.options;
    const { kept, broken } = decodeKeptMessages(store?.load());
    if (kept.length + broken === 0) return;
    const found = kept.map(({ message, sinceMs }): Waiting => {
      // The wall clock may have been set back meanwhile: nothing waits since the future.
      const ageMs = Math.max(0, clock.nowMs() - sinceMs);
      return {
        message,
        sinceMs: clock.monotonicMs() - ageMs,
        sinceWallMs: clock.nowMs() - ageMs,
        attempts: 0,
      };
    });
    const fresh = found.filter(({ sinceMs }) => clock.monotonicMs() - sinceMs <= MAX_AGE_MS);
    this.#waiting.unshift(...fresh);
    if (broken > 0) this.#drop(broken, "what an earlier core left can't be read");
    if (fresh.length < found.length)
      this.#drop(found.length - fresh.length, "an earlier core left it too long ago");
    this.#bound();
    this.#keep();
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

  /**
   * Tries what waits once more, at once; what isn't delivered within `withinMs` is left to the next core, or dropped
   * where nothing outlives this one. Either is said.
   */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true;
    this.#isRefreshDue = false;
    this.#wake();
    const cancel = this.options.clock.setTimeout(() => this.#abort.abort(), withinMs);
    await this.#done;
    cancel();
    this.#abort.abort();
    this.#keep();
    const left = this.#left.splice(0).length + this.#waiting.splice(0).length;
    if (left > 0 && this.options.store?.isDurable() === true) this.#sayLeft(left);
    else if (left > 0) this.#drop(left, "the core stops");
    this.#state = "stopped";
  }

  /** Of too many the oldest go, but for the first one: it may be on its way. */
  #bound(): void {
    const excess = this.#waiting.length - MAX_WAITING;
    if (excess <= 0) return;
    this.#waiting.splice(1, excess);
    this.#drop(excess, `more than ${MAX_WAITING} wait`);
  }

  #keep(): void {
    // A core that ends before it began leaves what is kept alone.
    if (!this.#isTakenUp) return;
    const all = [...this.#left, ...this.#waiting];
    const kept = all.map(({ message, sinceWallMs }) => ({ message, sinceMs: sinceWallMs }));
    this.options.store?.put(kept.length === 0 ? null : kept);
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
      const waitMs = nextAttemptMs({ attempt, ageMs, code, retryAfterMs, random: random() });
      this.#onFailed(error, this.#isClosing ? null : waitMs);
      if (waitMs !== null && !this.#isClosing) await this.#pause(waitMs);
      else if (first === undefined) this.#isRefreshDue = false;
      // What was cut off at a stop waits on, and so does what may yet arrive: the next core tries it.
      else if (waitMs !== null) this.#left.push(...this.#waiting.splice(0, 1));
      else if (!this.#isCutOff()) {
        this.#waiting.shift();
        this.#drop(1, error.message);
        this.#keep();
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
    this.#keep();
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

  #sayLeft(count: number): void {
    const { log, name } = this.options;
    log.warn({ sink: name }, `alert sink ${name}: ${count} alert(s) left to the next core`);
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
