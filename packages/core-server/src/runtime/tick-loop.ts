import type { Clock } from "@continuum/broker-core";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";

/** What a loop did so far. */
export interface TickCounts {
  readonly ticks: number;
  /** Due times that passed while a tick was still running. */
  readonly skipped: number;
  readonly failed: number;
}

/**
 * Runs `tick` every `intervalMs`, never twice at once: a tick that is due while the last one runs is skipped and counted.
 * A tick that throws is logged, and the loop goes on.
 */
export class TickLoop {
  readonly #abort = new AbortController();
  readonly #counts = { ticks: 0, skipped: 0, failed: 0 };
  #running: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(
    private readonly options: {
      readonly name: string;
      readonly intervalMs: number;
      readonly tick: (signal: AbortSignal) => Promise<void>;
      readonly clock: Clock;
      readonly log: Logger;
    },
  ) {}

  /** What the loop did so far. */
  get counts(): TickCounts {
    return { ...this.#counts };
  }

  /** The first tick is one interval away: what must happen before it belongs into the module's start. */
  start(): void {
    this.#schedule();
  }

  /** Ends the loop, aborts the tick that runs and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer?.();
    await this.#running;
  }

  #schedule(): void {
    this.#cancelTimer = this.options.clock.setTimeout(() => {
      if (this.#abort.signal.aborted) return;
      this.#schedule();
      if (this.#running !== null) {
        this.#counts.skipped += 1;
        return;
      }
      this.#running = this.#runOnce().finally(() => (this.#running = null));
    }, this.options.intervalMs);
  }

  async #runOnce(): Promise<void> {
    this.#counts.ticks += 1;
    try {
      await this.options.tick(this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#counts.failed += 1;
      const { log, name } = this.options;
      log.error({ err: error, module: name }, `a tick of ${name} failed: ${toErrorText(error)}`);
    }
  }
}
