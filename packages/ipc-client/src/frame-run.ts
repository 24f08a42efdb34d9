import type { FrameSink } from "./frame-decoder.js";

/** The length of a frame's payload stands before it, big-endian. */
export const HEADER_BYTES = 4;
/** Fewer frames are faster one by one. */
const MIN_FRAMES = 8;

const OPEN = 0x5b;
const COMMA = 0x2c;
const SPACE = 0x20;

/** Where the frames of the present run begin: kept, as a run ends before the next one begins. */
const starts: number[] = [];

/**
 * The frames that lie whole within a chunk, one behind the other: with their headers written over they are the text of
 * one JSON array, which is decoded and parsed in three quarters of the time that they take one by one.
 *
 * As many values as frames are taken for their values. A peer could send frames that are no JSON each and an array
 * together; what it gets told by that, it could have had by sending right ones.
 */
export class FrameRun {
  /** How many frames. */
  readonly #frames: number;
  /** Where the last one ends; the beginning when there is none. */
  readonly end: number;

  /** Looks for frames from `start` on, of at most `maxFrameBytes` each; changes nothing yet. */
  constructor(
    private readonly chunk: Buffer,
    private readonly start: number,
    maxFrameBytes: number,
  ) {
    let frames = 0;
    let end = start;
    while (chunk.length - end >= HEADER_BYTES) {
      const length = chunk.readUInt32BE(end);
      if (length > maxFrameBytes || length > chunk.length - end - HEADER_BYTES) break;
      starts[frames] = end;
      frames += 1;
      end += HEADER_BYTES + length;
    }
    this.#frames = frames;
    this.end = end;
  }

  /** Tells the sink of the frames, if they are many, all JSON alone, and what they seem; leaves the chunk as it was if not. */
  isTold(sink: FrameSink): boolean {
    if (this.#frames < MIN_FRAMES) return false;
    this.#join();
    // A zero is where an attachment begins.
    const zero = this.chunk.indexOf(0, this.start);
    const isJson = zero < 0 || zero >= this.end;
    if (isJson && sink.onRun(`${this.chunk.toString("utf8", this.start, this.end)}]`, this.#frames))
      return true;
    this.#restore();
    return false;
  }

  #join(): void {
    for (let frame = 0; frame < this.#frames; frame += 1) {
      const start = starts[frame] as number;
      this.chunk[start] = frame === 0 ? OPEN : COMMA;
      // By hand: `fill` takes ten times as long for three bytes.
      for (let at = start + 1; at < start + HEADER_BYTES; at += 1) this.chunk[at] = SPACE;
    }
  }

  #restore(): void {
    for (let frame = this.#frames - 1, end = this.end; frame >= 0; frame -= 1) {
      const start = starts[frame] as number;
      this.chunk.writeUInt32BE(end - start - HEADER_BYTES, start);
      end = start;
    }
  }
}
