const NEWLINE = 0x0a;

/** What one chunk of the stream brought: the lines it completed, in order, and whether the stream is lost. */
export interface DecodedChunk {
  /** The bytes of each line, without the newline. */
  readonly lines: readonly Buffer[];
  /** A line is longer than allowed: nothing after it can be understood. */
  readonly oversized: boolean;
}

/**
 * Splits a byte stream into lines of at most `maxLineBytes`.
 *
 * Works on bytes, so that a character or a line may be split anywhere; the parts of an unfinished line are kept
 * as they came and joined once, so that a line in many small chunks costs linear, not quadratic, time.
 */
export class LineDecoder {
  #parts: Buffer[] = [];
  #partialBytes = 0;

  constructor(private readonly maxLineBytes: number) {}

  /** Whether a line has been started and not finished. */
  get isPartial(): boolean {
    return this.#partialBytes > 0;
  }

  /** Takes the next bytes of the stream; the lines may share memory with `chunk`. */
  push(chunk: Buffer): DecodedChunk {
    const lines: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = end < 0 ? chunk.subarray(start) : chunk.subarray(start, end);
      if (this.#partialBytes + piece.length > this.maxLineBytes) {
        this.#take();
        return { lines, oversized: true };
      }
      if (piece.length > 0 && (end < 0 || this.#partialBytes > 0)) {
        this.#parts.push(piece);
        this.#partialBytes += piece.length;
      }
      if (end < 0) return { lines, oversized: false };
      lines.push(this.#partialBytes > 0 ? this.#take() : piece);
      start = end + 1;
    }
  }

  #take(): Buffer {
    const [first, ...more] = this.#parts;
    this.#parts = [];
    this.#partialBytes = 0;
    if (first === undefined) return Buffer.alloc(0);
    return more.length === 0 ? first : Buffer.concat([first, ...more]);
  }
}
