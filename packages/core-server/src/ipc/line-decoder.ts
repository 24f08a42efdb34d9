import { isUtf8 } from "node:buffer";

const NEWLINE = 0x0a;

/** What one chunk of the stream brought: the lines it completed, in order, and whether the stream is lost. */
export interface DecodedChunk {
  /** Each line's text, without the newline; null for one that isn't UTF-8. */
  readonly lines: readonly (string | null)[];
  /** A line is longer than allowed: nothing after it can be understood. */
  readonly oversized: boolean;
}

/**
 * Splits a byte stream into lines of at most `maxLineBytes`.
 *
 * Works on bytes, so that a character or a line may be split anywhere; the parts of an unfinished line are kept
 * as they came and joined once, so that a line in many small chunks costs linear, not quadratic, time. The lines that
 * lie within a chunk are decoded together.
 */
export class LineDecoder {
  #parts: Buffer[] = [];
  #partialBytes = 0;

  constructor(private readonly maxLineBytes: number) {}

  /** Whether a line has been started and not finished. */
  get isPartial(): boolean {
    return this.#partialBytes > 0;
  }

  /** The bytes of the unfinished line. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** Takes the next bytes of the stream. */
  push(chunk: Buffer): DecodedChunk {
    let start = 0;
    let lines: (string | null)[] = [];
    if (this.#partialBytes > 0) {
      const end = chunk.indexOf(NEWLINE);
      if (!this.#keep(end < 0 ? chunk : chunk.subarray(0, end))) return { lines, oversized: true };
      if (end < 0) return { lines, oversized: false };
      lines.push(toText(this.#take()));
      start = end + 1;
    }
    const last = chunk.lastIndexOf(NEWLINE);
    if (last >= start) {
      const whole = chunk.subarray(start, last);
      if (whole.length <= this.maxLineBytes && isUtf8(whole)) {
        const decoded = whole.toString("utf8").split("\n");
        lines = lines.length === 0 ? decoded : [...lines, ...decoded];
      } else if (!this.#cut(whole, lines)) {
        return { lines, oversized: true };
      }
      start = last + 1;
    }
    const fits = start === chunk.length || this.#keep(chunk.subarray(start));
    return { lines, oversized: !fits };
  }

  /** Line by line, where one of them is too long or isn't text; false at the first that is too long. */
  #cut(whole: Buffer, lines: (string | null)[]): boolean {
    for (let start = 0, end = 0; end < whole.length; start = end + 1) {
      const newline = whole.indexOf(NEWLINE, start);
      end = newline < 0 ? whole.length : newline;
      if (end - start > this.maxLineBytes) return false;
      lines.push(toText(whole.subarray(start, end)));
    }
    return true;
  }

  /** Keeps a part of a line; false when the line gets too long with it. */
  #keep(part: Buffer): boolean {
    if (this.#partialBytes + part.length > this.maxLineBytes) {
      this.#take();
      return false;
    }
    this.#parts.push(part);
    this.#partialBytes += part.length;
    return true;
  }

  #take(): Buffer {
    const [first, ...more] = this.#parts;
    this.#parts = [];
    this.#partialBytes = 0;
    if (first === undefined) return Buffer.alloc(0);
    return more.length === 0 ? first : Buffer.concat([first, ...more]);
  }
}

function toText(line: Buffer): string | null {
  return isUtf8(line) ? line.toString("utf8") : null;
}
