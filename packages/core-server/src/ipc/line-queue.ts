/** A line's text; null for one that isn't text. */
type Line = string | null;

/** Lines that have come and aren't served yet, in order. */
export class LineQueue {
  #lines: Line[] = [];
  #next = 0;
  #chars = 0;

  get length(): number {
    return this.#lines.length - this.#next;
  }

  /** The characters of the lines: what they take in memory, give or take. */
  get chars(): number {
    return this.#chars;
  }

  /** Adds the lines from `start` on. */
  push(lines: readonly Line[], start: number): void {
    for (let index = start; index < lines.length; index += 1) {
      const line = lines[index] as Line;
      this.#chars += line?.length ?? 0;
      this.#lines.push(line);
    }
  }

  /** Takes the first line out; there must be one. */
  shift(): Line {
    const line = this.#lines[this.#next] as Line;
    this.#chars -= line?.length ?? 0;
    this.#next += 1;
    if (this.#next === this.#lines.length) this.clear();
    return line;
  }

  clear(): void {
    this.#lines = [];
    this.#next = 0;
    this.#chars = 0;
  }
}
