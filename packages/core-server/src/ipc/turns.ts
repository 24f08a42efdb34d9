/** Something with requests that wait to be served. */
export interface TurnTaker {
  /**
   * Serves requests until they have cost so much together (see `toLineCost`), at least one; gives what they cost. One that
   * has more left adds itself again.
   */
  serveTurn(maxCost: number): number;
}

/** What a request line counts for in a turn: 1, and as much again for each 1,024 characters, since it has to be parsed. */
export function toLineCost(chars: number): number {
  return 1 + (chars >>> 10);
}

/** So few requests, of so few characters, are served as they come, without a look at whose turn it is. */
const FEW_LINES = 4;
const FEW_CHARS = 4096;
/** Requests that are served between two looks at the sockets and the timers, over all connections; long ones count for more. */
const LINES_PER_TURN = 1024;
/** Of them, what one connection gets at least, before the next one has its turn. */
const LINES_PER_TAKER = 64;

/**
 * Serves connections in rounds, a bounded number of requests each, so that one that sends a thousand at once, or a hundred that
 * send a megabyte each, delay the others, and the core's own ticks, by no more than their share.
 */
export class Turns {
  readonly #waiting = new Set<TurnTaker>();
  #usedLines = 0;
  #immediate: NodeJS.Immediate | null = null;

  /**
   * How many of `lines` (at least 1, of `chars` together) that have just come may be served at once: a few small ones always,
   * more while the turn isn't used up.
   */
  grant(lines: number, chars: number): number {
    if (lines <= FEW_LINES && chars <= FEW_CHARS) return lines;
    const left = Math.max(0, LINES_PER_TURN - this.#usedLines);
    const cost = toLineCost(chars / lines);
    const granted = Math.min(lines, Math.floor(Math.min(LINES_PER_TAKER, left) / cost));
    this.#usedLines += granted * cost;
    this.#arm();
    return granted;
  }

  /** Has `taker` served after those that wait already. */
  add(taker: TurnTaker): void {
    this.#waiting.add(taker);
    this.#arm();
  }

  /** Forgets a taker. */
  delete(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #arm(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = null;
      this.#serve();
    });
  }

  #serve(): void {
    this.#usedLines = 0;
    const takers = [...this.#waiting];
    // One that is alone may have the whole turn.
    const share = Math.max(LINES_PER_TAKER, Math.floor(LINES_PER_TURN / Math.max(1, takers.length)));
    for (const taker of takers) {
      if (this.#usedLines >= LINES_PER_TURN) break;
      this.#waiting.delete(taker);
      this.#usedLines += taker.serveTurn(share);
    }
    if (this.#waiting.size > 0) this.#arm();
  }
}
