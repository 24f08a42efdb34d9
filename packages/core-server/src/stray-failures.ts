/** So many within so long, in ms, are no accident any more. */
const MAX_RECENT = 10;
const RECENT_MS = 60_000;

/**
 * Counts promises that failed and that nobody waited for. One is a bug, but it unwinds nobody's work: the core goes on.
 * Many in a short time are a core that doesn't know any more what it does.
 */
export class StrayFailures {
  #count = 0;
  #recentMs: readonly number[] = [];

  /** All of them so far. */
  get count(): number {
    return this.#count;
  }

  /** Counts one; gives whether they are too many to go on. */
  add(nowMs: number): boolean {
    this.#count += 1;
    this.#recentMs = [...this.#recentMs.filter((atMs) => nowMs - atMs < RECENT_MS), nowMs];
    return this.#recentMs.length > MAX_RECENT;
  }
}
