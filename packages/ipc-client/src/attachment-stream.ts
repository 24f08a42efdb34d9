import { Readable } from "node:stream";
import { ConnectionError } from "./connection-error.js";
import type { Flow } from "./core-request.js";
import type { AttachmentSink } from "./frame-decoder.js";

/** Bytes that are read at once. */
const CHUNK_BYTES = 256 * 1024;
/** Bytes that wait for the consumer before no more are read. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** A reply whose attachment is read as it comes. */
export interface CoreReplyStream {
  readonly result: unknown;
  /** The attachment's length; 0 without one. */
  readonly attachmentBytes: number;
  /**
   * Its bytes, in chunks that are the receiver's to keep; at most 2 MiB wait here, the rest with the core. Destroying it
   * closes the stream's connection. It fails with a ConnectionError `closed` when the connection breaks, and `timeout`
   * when nothing comes for `timeoutMs`, `aborted` by the call's signal; each with `mayHaveExecuted`, as there was a reply.
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
  /** It is over, one way or another. */
  readonly onClosed: () => void;
}

/** Hands an attachment on as it comes, no faster than it is taken. */
export class AttachmentStream implements AttachmentSink {
  readonly readable: Readable;
  #chunk = Buffer.alloc(0);
  #filled = 0;
  #left: number;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(private readonly options: AttachmentStreamOptions) {
    const { bytes, flow, signal, onClosed } = options;
    const onAbort = (): void =>
      this.fail(new ConnectionError("aborted", "the attachment was aborted", { cause: signal?.reason }));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#left = bytes;
    this.readable = new Readable({
      highWaterMark: HIGH_WATER_BYTES,
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
      this.#chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.#left));
      this.#filled = 0;
    }
    return this.#chunk.subarray(this.#filled);
  }

  filled(bytes: number): void {
    this.#left -= bytes;
    const part = this.#chunk.subarray(this.#filled, this.#filled + bytes);
    this.#filled += bytes;
    if (this.readable.push(part)) this.#idleTimer?.refresh();
    else {
      this.#unwatch();
      this.options.flow.pause();
    }
  }

  end(): void {
    this.#unwatch();
    this.readable.push(null);
  }

  /** Ends it with an error, which says that the command was executed: its reply has begun. */
  fail({ code, message, cause }: ConnectionError): void {
    this.readable.destroy(new ConnectionError(code, message, { mayHaveExecuted: true, cause }));
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
