/** Something with requests that wait to be served. */
export interface TurnTaker {
  /** Serves at most so many; gives how many it served. One that has more left adds itself again. */
  serveTurn(maxLines: number): number;
}

/** Requests that are served between two looks at the sockets and the timers, over all connections. */
const LINES_PER_TURN = 1024;
/** Of them, what one connection gets at least, before the next one has its turn. */
const LINES_PER_TAKER = 64;

/**
 * Serves connections in rounds, a bounded number of requests each, so that one that sends a thousand at once delays the
 * others, and the core's own ticks, by no more than its share.
 */
export class Turns {
  readonly #waiting = new Set<TurnTaker>();
  #usedLines = 0;
  #immediate: NodeJS.Immediate | null = null;

  /** How many of `lines` that have just come may be served at once: a few always, more while the turn isn't used up. */
  grant(lines: number): number {
    const left = Math.max(0, LINES_PER_TURN - this.#usedLines);
    const granted = Math.min(lines, LINES_PER_TAKER, left);
    this.#usedLines += granted;
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
