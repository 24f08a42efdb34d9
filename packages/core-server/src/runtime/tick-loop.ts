import type { Clock } from "@continuum/broker-core";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";

/** What a loop did so far; times in ms. */
export interface TickCounts {
  readonly ticks: number;
  /** Ticks that took longer than half their interval. */
  readonly slow: number;
  /** Due times that passed while a tick was still running, or the process stood still. */
  readonly missed: number;
  readonly failed: number;
  /** Null before the first tick has ended. */
  readonly lastMs: number | null;
  readonly maxMs: number | null;
}

/** What a loop needs. */
export interface TickLoopOptions {
  readonly name: string;
  /**
   * Milliseconds from one due time to the next. A function is asked anew each time, and again when a tick has ended: what
   * it has found may bring the next one forward.
   */
  readonly intervalMs: number | (() => number);
  readonly tick: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Hears of each due time how late it was noticed, in ms. */
  readonly onDue?: (lateMs: number) => void;
  /** Hears how each tick ended: null, or the error. */
  readonly onTicked?: (error: unknown) => void;
}

/** Whatever a module asks for, a tick comes between these. */
const MIN_INTERVAL_MS = 1;
const MAX_INTERVAL_MS = 3_600_000;

/** A tick that takes this many intervals, and this long in ms, is taken for one that hangs. */
const HUNG_INTERVALS = 3;
const HUNG_MS = 10_000;

/**
 * Runs `tick` every `intervalMs`, never twice at once: a tick that is due while the last one runs is missed and counted.
 * A tick that throws is logged, and the loop goes on.
 */
export class TickLoop {
  readonly #abort = new AbortController();
  readonly #counts = { ticks: 0, slow: 0, missed: 0, failed: 0, lastMs: null, maxMs: null } as {
    -readonly [K in keyof TickCounts]: TickCounts[K];
  };
  #running: Promise<void> | null = null;
  #startedMs: number | null = null;
  #hasSaidHung = false;
  #cancelTimer: (() => void) | null = null;
  #dueMs = Infinity;

  constructor(private readonly options: TickLoopOptions) {}

  /** What the loop did so far. */
  get counts(): TickCounts {
    return { ...this.#counts };
  }

  /** From now to the next due time, as the loop would wait now. */
  get intervalMs(): number {
    const { intervalMs } = this.options;
    const asked = typeof intervalMs === "number" ? intervalMs : intervalMs();
    return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, asked));
  }

  /** Since how many ms a tick runs; null when none does. */
  get runningForMs(): number | null {
    return this.#startedMs === null ? null : this.options.clock.monotonicMs() - this.#startedMs;
  }

  /** Whether a tick has run for so long that it may never end. */
  get isHung(): boolean {
    return (this.runningForMs ?? 0) >= Math.max(HUNG_INTERVALS * this.intervalMs, HUNG_MS);
  }

  /** The first tick is one interval away: what must happen before it belongs into the module's start. */
  start(): void {
    this.#schedule(this.intervalMs, this.intervalMs);
  }

  /** Ends the loop, aborts the tick that runs and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer?.();
    await this.#running;
  }

  #schedule(delayMs: number, intervalMs: number): void {
    const { clock, onDue } = this.options;
    const dueMs = clock.monotonicMs() + delayMs;
    this.#dueMs = dueMs;
    this.#cancelTimer?.();
    this.#cancelTimer = clock.setTimeout(() => {
      if (this.#abort.signal.aborted) return;
      const lateMs = Math.max(0, clock.monotonicMs() - dueMs);
      onDue?.(lateMs);
      // A machine that slept, or a loop that was blocked.
      this.#counts.missed += Math.floor(lateMs / intervalMs);
      const startedMs = clock.monotonicMs();
      this.#schedule(this.intervalMs, this.intervalMs);
      if (this.#running !== null) {
        this.#counts.missed += 1;
        this.#sayHung();
        return;
      }
      this.#running = this.#runOnce(intervalMs).finally(() => {
        this.#running = null;
        this.#hasten(startedMs);
      });
    }, delayMs);
  }

  /** The next tick comes sooner where the one that has just ended found cause for it. */
  #hasten(startedMs: number): void {
    if (this.#abort.signal.aborted || typeof this.options.intervalMs === "number") return;
    const { intervalMs } = this;
    const dueMs = startedMs + intervalMs;
    if (dueMs >= this.#dueMs) return;
    this.#schedule(Math.max(MIN_INTERVAL_MS, dueMs - this.options.clock.monotonicMs()), intervalMs);
  }

  /** Once for each tick that hangs, not every interval. */
  #sayHung(): void {
    if (!this.isHung || this.#hasSaidHung) return;
    this.#hasSaidHung = true;
    const { name, log } = this.options;
    const seconds = Math.round((this.runningForMs ?? 0) / 1000);
    log.error({ module: name }, `a tick of ${name} has run for ${seconds} s; there is none beside it`);
  }

  async #runOnce(intervalMs: number): Promise<void> {
    const { name, clock, log, onTicked } = this.options;
    const counts = this.#counts;
    const startedMs = clock.monotonicMs();
    this.#startedMs = startedMs;
    this.#hasSaidHung = false;
    counts.ticks += 1;
    try {
      await this.options.tick(this.#abort.signal);
      onTicked?.(null);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      counts.failed += 1;
      log.error({ err: error, module: name }, `a tick of ${name} failed: ${toErrorText(error)}`);
      onTicked?.(error);
    } finally {
      this.#startedMs = null;
      const tookMs = clock.monotonicMs() - startedMs;
      counts.lastMs = tookMs;
      counts.maxMs = Math.max(counts.maxMs ?? 0, tookMs);
      if (tookMs > intervalMs / 2) counts.slow += 1;
    }
  }
}
