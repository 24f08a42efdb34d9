/** How long the event loop is kept polling after a request, in ms. */
const SPIN_MS = 0.05;
/** A poll that comes so much later than the one before, in ms: the processor was given to somebody else. */
const GAP_MS = 0.5;
/** Outcomes that a judgement rests on. */
const WINDOW = 64;
/** One of so many requests is waited for without spinning, to see what spinning is worth. */
const PROBE_EVERY = 32;
/** What spinning must bring: at most so much of the time without. */
const WORTH_IT = 0.9;
/** How much the newest figure counts. */
const WEIGHT = 1 / 8;
/** From the first pause after it didn't help to the longest, in ms. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** From one look at the machine to the next, in ms. */
const LOOK_MS = 1_000;

/** What is around; given for tests. */
export interface SpinPort {
  nowMs(): number;
  /** Runs after the loop has looked for input once. */
  defer(run: () => void): void;
  /** Whether a processor is to spare: there is more than one, and not more work than there are. */
  hasSpareProcessor(): boolean;
}

/**
 * Keeps the event loop polling for a reply, for at most 50 µs after a request, instead of having the kernel wake it.
 *
 * It judges itself: where replies come later than that, where it isn't quicker than waiting, or where the processor is
 * taken away from it, it pauses for a second, and longer each time it is so again, up to a minute.
 */
export class ReplySpin {
  #isPolling = false;
  #isSpun = false;
  #isWaiting = false;
  #sentMs = 0;
  #polledMs = 0;
  #requests = 0;
  #outcomes = 0;
  #hits = 0;
  #spunMs = Number.NaN;
  #plainMs = Number.NaN;
  #pausedUntilMs = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #lookedMs = -Infinity;
  #hasSpare = false;

  constructor(private readonly port: SpinPort) {}

  /** Whether it pauses because it doesn't help. */
  get isPaused(): boolean {
    return this.port.nowMs() < this.#pausedUntilMs;
  }

  /** Requests were sent. */
  begin(): void {
    const nowMs = this.port.nowMs();
    this.#requests += 1;
    this.#isWaiting = true;
    this.#sentMs = nowMs;
    this.#isSpun = this.#requests % PROBE_EVERY !== 0 && this.#maySpin(nowMs);
    if (!this.#isSpun || this.#isPolling) return;
    this.#isPolling = true;
    this.#polledMs = nowMs;
    this.port.defer(this.#poll);
  }

  /** Something came. */
  end(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    const tookMs = this.port.nowMs() - this.#sentMs;
    if (this.#isSpun) {
      this.#spunMs = blend(this.#spunMs, tookMs);
      this.#judge(tookMs <= SPIN_MS);
    } else this.#plainMs = blend(this.#plainMs, tookMs);
  }

  readonly #poll = (): void => {
    const nowMs = this.port.nowMs();
    const gapMs = nowMs - this.#polledMs;
    this.#polledMs = nowMs;
    if (this.#isWaiting && this.#isSpun && gapMs > GAP_MS) this.#judge(false);
    if (this.#isWaiting && this.#isSpun && nowMs - this.#sentMs < SPIN_MS) this.port.defer(this.#poll);
    else this.#isPolling = false;
  };

  #maySpin(nowMs: number): boolean {
    if (nowMs < this.#pausedUntilMs) return false;
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
    const isQuicker = !(this.#spunMs > this.#plainMs * WORTH_IT);
    const helps = this.#hits * 2 >= this.#outcomes && isQuicker;
    this.#outcomes = 0;
    this.#hits = 0;
    if (helps) {
      this.#pauseMs = FIRST_PAUSE_MS;
      return;
    }
    this.#pausedUntilMs = this.port.nowMs() + this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
    this.#spunMs = Number.NaN;
  }
}

function blend(before: number, now: number): number {
  return Number.isNaN(before) ? now : before + (now - before) * WEIGHT;
}
