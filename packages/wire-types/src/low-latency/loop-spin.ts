/** The longest that the event loop is kept polling without a message, in ms. */
const MAX_SPIN_MS = 0.05;
/** The shortest, in ms: a poll or two take so long. */
const MIN_SPIN_MS = 0.01;
/** It polls for so many times what messages have taken of late. */
const ALLOWANCE = 3;
/** How much the newest figure counts. */
const WEIGHT = 1 / 16;
/** How much longer it polls after it was too short. */
const LENGTHEN = 1.5;
/** After so many misses in a row it doesn't sit out more: 63 waits. */
const MAX_MISSES_IN_A_ROW = 6;
/** Waits that a judgement rests on, and how many of them go by without polling, to see what that is like. */
const WINDOW = 4_096;
const PLAIN_WAITS = 32;
/** What polling must bring: at most so much of the time without. */
const WORTH_IT = 0.9;
/** The most that one wait counts for, in ms: beyond it, it says nothing of how the loop was woken. */
const MAX_COUNTED_MS = 1;
/** How much the newest window counts: where the scheduler puts both sides changes within milliseconds, and with it all. */
const WINDOW_WEIGHT = 1 / 4;
/** From the first pause after it didn't help to the longest, in ms. */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 60_000;
/** From one look at the machine to the next, in ms: after one that found a processor to spare, and after one that didn't. */
const LOOK_MS = 100;
const LOOK_AGAIN_MS = 5;

/** What is around a LoopSpin; given for tests. */
export interface LoopSpinPort {
  nowMs(): number;
  /** Runs after the loop has looked for input once. */
  defer(run: () => void): void;
  /** Whether a processor is to spare: there is more than one, and not more work than there are. */
  hasSpareProcessor(): boolean;
}

/**
 * Keeps the event loop polling for the next message, for at most 50 µs after one was sent, instead of having the kernel
 * wake the process. For either side: the client awaits replies, the core the next request.
 *
 * It polls for a few times what messages took of late, because a side that polls may stand on the very processor that
 * the other one needs. After a wait that was too long it sits out one, then three, and so on to 63. What it brings is
 * measured: where waits are no shorter than without it, it pauses for 100 ms, and twice as long each time it is so
 * again, up to a minute. A core and a client may both do so without knowing of each other: each helps alone.
 */
export class LoopSpin {
  #isPolling = false;
  /** A message is awaited, since when, and whether by polling, until when. */
  #isWaiting = false;
  #sinceMs = 0;
  #isSpun = false;
  #untilMs = 0;
  #spinMs = MAX_SPIN_MS;
  #typicalMs = Number.NaN;
  #missesInARow = 0;
  #sitOut = 0;
  /** The waits of this window, and the sums of both kinds. */
  #waits = 0;
  #spunSumMs = 0;
  #plainSumMs = 0;
  /** What they come to on average. */
  #spunMs = Number.NaN;
  #plainMs = Number.NaN;
  #pausedUntilMs = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #lookedMs = -Infinity;
  #hasSpare = false;

  constructor(private readonly port: LoopSpinPort) {}

  /** Whether it pauses because it doesn't help. */
  get isPaused(): boolean {
    return this.port.nowMs() < this.#pausedUntilMs;
  }

  /** Something was sent: a message is awaited. */
  begin(): void {
    const nowMs = this.port.nowMs();
    this.#isWaiting = nowMs >= this.#pausedUntilMs && this.#look(nowMs);
    if (!this.#isWaiting) return;
    this.#sinceMs = nowMs;
    this.#isSpun = this.#waits >= PLAIN_WAITS && this.#sitOut === 0;
    if (this.#waits >= PLAIN_WAITS && this.#sitOut > 0) this.#sitOut -= 1;
    if (!this.#isSpun) return;
    this.#untilMs = nowMs + this.#spinMs;
    if (this.#isPolling) return;
    this.#isPolling = true;
    this.port.defer(this.#poll);
  }

  /** Something came. */
  end(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    const tookMs = this.port.nowMs() - this.#sinceMs;
    if (this.#isSpun) this.#learn(tookMs, this.#isPolling && tookMs <= MAX_SPIN_MS);
    const countedMs = Math.min(tookMs, MAX_COUNTED_MS);
    // Waits that are sat out are part of what polling brings.
    if (this.#waits < PLAIN_WAITS) this.#plainSumMs += countedMs;
    else this.#spunSumMs += countedMs;
    this.#waits += 1;
    if (this.#waits === WINDOW) this.#judge();
  }

  readonly #poll = (): void => {
    if (this.#isWaiting && this.#isSpun && this.port.nowMs() < this.#untilMs) this.port.defer(this.#poll);
    else this.#isPolling = false;
  };

  #learn(tookMs: number, isHit: boolean): void {
    if (isHit) {
      this.#missesInARow = 0;
      this.#typicalMs = blend(this.#typicalMs, tookMs, WEIGHT);
      this.#spinMs = Math.min(MAX_SPIN_MS, Math.max(MIN_SPIN_MS, this.#typicalMs * ALLOWANCE));
      return;
    }
    this.#missesInARow = Math.min(MAX_MISSES_IN_A_ROW, this.#missesInARow + 1);
    this.#sitOut = 2 ** this.#missesInARow - 1;
    this.#spinMs = Math.min(MAX_SPIN_MS, this.#spinMs * LENGTHEN);
  }

  #judge(): void {
    this.#spunMs = blend(this.#spunMs, this.#spunSumMs / (WINDOW - PLAIN_WAITS), WINDOW_WEIGHT);
    this.#plainMs = blend(this.#plainMs, this.#plainSumMs / PLAIN_WAITS, WINDOW_WEIGHT);
    this.#waits = 0;
    this.#spunSumMs = 0;
    this.#plainSumMs = 0;
    if (this.#spunMs <= this.#plainMs * WORTH_IT) {
      this.#pauseMs = FIRST_PAUSE_MS;
      return;
    }
    this.#pausedUntilMs = this.port.nowMs() + this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
  }

  #look(nowMs: number): boolean {
    if (nowMs - this.#lookedMs >= (this.#hasSpare ? LOOK_MS : LOOK_AGAIN_MS)) {
      this.#lookedMs = nowMs;
      this.#hasSpare = this.port.hasSpareProcessor();
    }
    return this.#hasSpare;
  }
}

function blend(before: number, now: number, weight: number): number {
  return Number.isNaN(before) ? now : before + (now - before) * weight;
}
