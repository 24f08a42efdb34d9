import { Readable } from "node:stream";
import { ConnectionError } from "./connection-error.js";
import type { Flow } from "./core-request.js";
import type { AttachmentSink } from "./frame-decoder.js";

/** Bytes that are read at once. */
const CHUNK_BYTES = 256 * 1024;
/** Bytes that wait for the consumer before no more are read. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** Chunks that wait for the consumer before no more are read, where they are used again. */
const HIGH_WATER_CHUNKS = 4;
/** Those that wait, the one that the consumer has, and the one that is filled. */
const REUSED_CHUNKS = HIGH_WATER_CHUNKS + 2;

/** A reply whose attachment is read as it comes. */
export interface CoreReplyStream {
  readonly result: unknown;
  /** The attachment's length; 0 without one. */
  readonly attachmentBytes: number;
  /**
   * Its bytes, in chunks that are the receiver's to keep, unless the call said `reuseChunks`; at most 2 MiB wait here, the
   * rest with the core. Destroying it closes the stream's connection. It fails with a ConnectionError `closed` when the
   * connection breaks, and `timeout` when nothing comes for `timeoutMs`, `aborted` by the call's signal; each with
   * `mayHaveExecuted`, as there was a reply.
   */
  readonly attachment: Readable;
}

/** What an attachment that is streamed needs to know. */
export interface AttachmentStreamOptions {
  readonly bytes: number;
  readonly flow: Flow;
  /** How long nothing may come while somebody waits for it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether a chunk is only the receiver's until it asks for the next one. */
  readonly reuseChunks: boolean;
  /** It is over, one way or another. */
  readonly onClosed: () => void;
}

/**
 * Hands an attachment on as it comes, no faster than it is taken. Where chunks may be used again, they are whole and
 * handed out one by one, so that it is known which of them the consumer may still look at: the stream would join others.
 */
export class AttachmentStream implements AttachmentSink {
  readonly readable: Readable;
  #chunk: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** Those that are used in turn, as far as they were needed; none where each chunk is the receiver's to keep. */
  readonly #ring: Buffer[] = [];
  #begunChunks = 0;
  #left: number;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(private readonly options: AttachmentStreamOptions) {
    const { bytes, flow, signal, reuseChunks, onClosed } = options;
    const onAbort = (): void =>
      this.fail(new ConnectionError("aborted", "the attachment was aborted", { cause: signal?.reason }));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#left = bytes;
    this.readable = new Readable({
      objectMode: reuseChunks,
      highWaterMark: reuseChunks ? HIGH_WATER_CHUNKS : HIGH_WATER_BYTES,
      read: () => {
        if (this.#left === 0) return;
        this.#watch();
        flow.resume();
      },
      destroy: (error, done) => {
        this.#unwatch();
        signal?.removeEventListener("abort", onAbort);
        onClosed();
        done(error);
      },
    });
  }

  /** How long the attachment is. */
  get bytes(): number {
    return this.options.bytes;
  }

  next(): Uint8Array {
    if (this.#filled === this.#chunk.length) {
      this.#chunk = this.#nextChunk();
      this.#filled = 0;
    }
    return this.#chunk.subarray(this.#filled);
  }

  filled(bytes: number): void {
    this.#left -= bytes;
    const begin = this.options.reuseChunks ? 0 : this.#filled;
    this.#filled += bytes;
    this.#idleTimer?.refresh();
    if (this.options.reuseChunks && this.#left > 0 && this.#filled < this.#chunk.length) return;
    if (this.readable.push(this.#chunk.subarray(begin, this.#filled))) return;
    this.#unwatch();
    this.options.flow.pause();
  }

  end(): void {
    this.#unwatch();
    this.readable.push(null);
  }

  /** Ends it with an error, which says that the command was executed: its reply has begun. */
  fail({ code, message, cause }: ConnectionError): void {
    this.readable.destroy(new ConnectionError(code, message, { mayHaveExecuted: true, cause }));
  }

  #nextChunk(): Buffer {
    if (!this.options.reuseChunks) return Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.#left));
    const place = this.#begunChunks % REUSED_CHUNKS;
    this.#begunChunks += 1;
    return (this.#ring[place] ??= Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.#left)));
  }

  #watch(): void {
    if (this.#idleTimer !== null) return;
    const { timeoutMs } = this.options;
    this.#idleTimer = setTimeout(() => {
      this.fail(new ConnectionError("timeout", `nothing of the attachment came within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#idleTimer.unref();
  }

  #unwatch(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
  }
}
