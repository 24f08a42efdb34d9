/** A heap that gives its least entry first. */
export class MinHeap<T> {
  readonly #entries: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** Takes an entry in; O(log n). */
  push(entry: T): void {
    const entries = this.#entries;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isLess(at, above)) return;
      this.#swap(at, above);
      at = above;
    }
  }

  /** Gives the least entry and forgets it; undefined when there is none. O(log n). */
  pop(): T | undefined {
    const entries = this.#entries;
    const [least] = entries;
    const last = entries.pop();
    if (entries.length === 0 || last === undefined) return least;
    entries[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      let least = at;
      if (this.#isLess(left, least)) least = left;
      if (this.#isLess(left + 1, least)) least = left + 1;
      if (least === at) break;
      this.#swap(at, least);
      at = least;
    }
    return least;
  }

  #isLess(a: number, b: number): boolean {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    return first !== undefined && second !== undefined && this.#compare(first, second) < 0;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    if (first === undefined || second === undefined) return;
    this.#entries[a] = second;
    this.#entries[b] = first;
  }
}
