import type { AttachmentSink } from "./frame-decoder.js";

/** Puts an attachment into one buffer, which is long enough for it. */
export class BufferSink implements AttachmentSink {
  #length = 0;

  constructor(
    private readonly buffer: Uint8Array,
    private readonly onEnd: () => void,
  ) {}

  next(): Uint8Array {
    return this.buffer.subarray(this.#length);
  }

  filled(bytes: number): void {
    this.#length += bytes;
  }

  end(): void {
    this.onEnd();
  }

  fail(): void {
    // Its request is still in flight, and hears of it there.
  }
}
