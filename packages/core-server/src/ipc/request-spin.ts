/** How long the event loop is kept polling after a reply, in ms. */
const SPIN_MS = 0.05;
/** A poll that comes so much later than the one before, in ms: the processor was given to somebody else. */
const GAP_MS = 0.5;
/** Outcomes that a judgement rests on. */
const WINDOW = 64;
/** From the first pause after it didn't help to the longest, in ms. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** From one look at the machine to the next, in ms. */
const LOOK_MS = 1_000;

/** What is around; given for tests. */
export interface RequestSpinPort {
  nowMs(): number;
  /** Runs after the loop has looked for input once. */
  defer(run: () => void): void;
  /** Whether a processor is to spare: there is more than one, and not more work than there are. */
  hasSpareProcessor(): boolean;
}

/**
 * Keeps the event loop polling for the next request, for at most 50 µs after a reply, instead of having the kernel wake it.
 *
 * Where the next request comes later than that more often than not, or the processor is taken away meanwhile, it pauses
 * for a second, and longer each time it is so again, up to a minute.
 */
export class RequestSpin {
  #isPolling = false;
  #untilMs = 0;
  #polledMs = 0;
  #outcomes = 0;
  #hits = 0;
  #pausedUntilMs = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #lookedMs = -Infinity;
  #hasSpare = false;

  constructor(private readonly port: RequestSpinPort) {}

  /** Replies were written. */
  begin(): void {
    const nowMs = this.port.nowMs();
    if (nowMs < this.#pausedUntilMs || !this.#look(nowMs)) return;
    this.#untilMs = nowMs + SPIN_MS;
    if (this.#isPolling) return;
    this.#isPolling = true;
    this.#polledMs = nowMs;
    this.port.defer(this.#poll);
  }

  /** Requests came. */
  end(): void {
    if (!this.#isPolling || this.#untilMs === 0) return;
    this.#untilMs = 0;
    this.#judge(true);
  }

  readonly #poll = (): void => {
    const nowMs = this.port.nowMs();
    const gapMs = nowMs - this.#polledMs;
    this.#polledMs = nowMs;
    if (this.#untilMs > 0 && gapMs > GAP_MS) this.#judge(false);
    if (nowMs < this.#untilMs) this.port.defer(this.#poll);
    else {
      this.#isPolling = false;
      if (this.#untilMs > 0 && gapMs <= GAP_MS) this.#judge(false);
    }
  };

  #look(nowMs: number): boolean {
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      this.#hasSpare = this.port.hasSpareProcessor();
    }
    return this.#hasSpare;
  }

  #judge(isHit: boolean): void {
    this.#outcomes += 1;
    if (isHit) this.#hits += 1;
    if (this.#outcomes < WINDOW) return;
    const helps = this.#hits * 2 >= this.#outcomes;
    this.#outcomes = 0;
    this.#hits = 0;
    this.#pauseMs = helps ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, this.#pauseMs);
    if (helps) return;
    this.#pausedUntilMs = this.port.nowMs() + this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
  }
}
