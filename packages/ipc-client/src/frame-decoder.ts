import { ConnectionError } from "./connection-error.js";

/** 1 GiB, the protocol's limit for a response frame. */
export const DEFAULT_MAX_FRAME_BYTES = 1024 ** 3;

const HEADER_BYTES = 4;

/**
 * Cuts a stream of bytes into frames, wherever the stream was cut. A frame that lies within one chunk is a view of
 * that chunk; one that spans several is read into a target of its final size, so each byte is copied at most once.
 */
export class FrameDecoder {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  #target: Buffer | null = null;
  #targetLength = 0;

  constructor(private readonly maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES) {}

  /** Whether the stream stands within a frame: if it ends now, the frame is lost. */
  get isPartial(): boolean {
    return this.#headerLength > 0 || this.#target !== null;
  }

  /**
   * Takes a chunk and hands each payload that is complete with it to `onFrame`. The payload is the receiver's to keep.
   * Throws a ConnectionError `protocol`, before allocating, for a length over the limit; the stream is lost then.
   */
  push(chunk: Buffer, onFrame: (payload: Buffer) => void): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#target !== null) {
        offset += this.#fill(this.#target, chunk, offset, onFrame);
        continue;
      }
      let length: number;
      if (this.#headerLength === 0 && chunk.length - offset >= HEADER_BYTES) {
        length = chunk.readUInt32BE(offset);
        offset += HEADER_BYTES;
      } else {
        const copied = chunk.copy(
          this.#header,
          this.#headerLength,
          offset,
          offset + HEADER_BYTES - this.#headerLength,
        );
        this.#headerLength += copied;
        offset += copied;
        if (this.#headerLength < HEADER_BYTES) return;
        this.#headerLength = 0;
        length = this.#header.readUInt32BE(0);
      }
      this.#check(length);
      if (chunk.length - offset >= length) {
        onFrame(chunk.subarray(offset, offset + length));
        offset += length;
      } else {
        this.#target = Buffer.allocUnsafeSlow(length);
        this.#targetLength = 0;
      }
    }
  }

  #fill(target: Buffer, chunk: Buffer, offset: number, onFrame: (payload: Buffer) => void): number {
    const copied = chunk.copy(target, this.#targetLength, offset);
    this.#targetLength += copied;
    if (this.#targetLength === target.length) {
      this.#target = null;
      onFrame(target);
    }
    return copied;
  }

  #check(length: number): void {
    if (length <= this.maxFrameBytes) return;
    throw new ConnectionError(
      "protocol",
      `the peer announced a frame of ${length} bytes; at most ${this.maxFrameBytes} are taken`,
    );
  }
}
