import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { splitPayload } from "./frame-bytes.js";
import { type Split, splitBytes } from "./split-bytes.js";

/** A frame as it came, with its JSON parsed. */
export interface ReceivedFrame {
  readonly message: unknown;
  readonly attachment: Buffer | null;
}

/** What the core under test broke. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

/** The most that is read before a core is taken to have lost its mind, in bytes. */
const MAX_BUFFERED_BYTES = 256 * 1024 * 1024;

/** A connection to a core that knows nothing but bytes and frames. Its owner closes it. */
export class WireConnection implements AsyncDisposable {
  readonly #frames: ReceivedFrame[] = [];
  #wake: (() => void) | null = null;
  #parts: Buffer[] = [];
  #bufferedBytes = 0;
  #failure: ConformanceError | null = null;
  #isEnded = false;
  #isClosed = false;

  private constructor(private readonly socket: Socket) {
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => {
      this.#isEnded = true;
      this.#notify();
    });
    // The close that follows is what is waited for: a reset is one way to be closed.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isEnded = true;
      this.#isClosed = true;
      this.#notify();
    });
  }

  /** Connects; rejects with what the system said, or with an AbortError when `signal` gives up on it. */
  static async open(target: NetConnectOpts, signal?: AbortSignal): Promise<WireConnection> {
    const socket = connect({ ...target, allowHalfOpen: true });
    try {
      await once(socket, "connect", { signal });
    } catch (error) {
      // One error is enough, and that is thrown.
      socket.on("error", () => undefined).destroy();
      throw error;
    }
    socket.setNoDelay(true);
    return new WireConnection(socket);
  }

  /** Writes the bytes in the pieces that `split` asks for, each in a turn of its own. A closed peer is no error here. */
  async write(bytes: Buffer, split: Split = "whole"): Promise<void> {
    for (const piece of splitBytes(bytes, split)) {
      if (!this.socket.writable) return;
      if (!this.socket.write(piece)) {
        await Promise.race([once(this.socket, "drain"), once(this.socket, "close")]);
      }
      if (split !== "whole") await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Ends the sending side and goes on reading. */
  endWrites(): void {
    this.socket.end();
  }

  /** The next frame; null when the core closed instead. Rejects with a ConformanceError when neither comes in time. */
  async next(withinMs: number): Promise<ReceivedFrame | null> {
    const came = await this.#until(() => this.#frames.length > 0 || this.#isEnded, withinMs);
    if (!came) throw new ConformanceError(`no frame within ${withinMs} ms, and the connection stayed open`);
    return this.#frames.shift() ?? null;
  }

  /** Whether a frame or the end came within that time. */
  async hears(withinMs: number): Promise<boolean> {
    return this.#until(() => this.#frames.length > 0 || this.#isEnded, withinMs);
  }

  /** Whether the core has closed its side, all frames read or not, within that time. */
  async isClosedWithin(withinMs: number): Promise<boolean> {
    return this.#until(() => this.#isEnded, withinMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.#isClosed) await once(this.socket, "close");
  }

  async #until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      if (holds()) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }

  #onData(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes > MAX_BUFFERED_BYTES) {
      this.#fail(`the core sent more than ${MAX_BUFFERED_BYTES} bytes without finishing a frame`);
    } else if (this.#announcedBytes() <= this.#bufferedBytes) {
      this.#takeFrames();
    }
    this.#notify();
  }

  /** How many bytes the first frame needs; more than there are while its length hasn't come. */
  #announcedBytes(): number {
    const first = this.#parts[0];
    if (first !== undefined && first.length >= 4) return 4 + first.readUInt32BE(0);
    if (this.#bufferedBytes < 4) return Infinity;
    this.#parts = [Buffer.concat(this.#parts)];
    return this.#announcedBytes();
  }

  #takeFrames(): void {
    let bytes = Buffer.concat(this.#parts);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const length = bytes.readUInt32BE(0);
      this.#onPayload(bytes.subarray(4, 4 + length));
      bytes = bytes.subarray(4 + length);
    }
    this.#parts = bytes.length > 0 ? [bytes] : [];
    this.#bufferedBytes = bytes.length;
  }

  #onPayload(payload: Buffer): void {
    const { json, attachment } = splitPayload(payload);
    try {
      this.#frames.push({ message: JSON.parse(json), attachment });
    } catch {
      this.#fail(`a frame isn't JSON: ${json.slice(0, 100)}`);
    }
  }

  #fail(reason: string): void {
    this.#failure ??= new ConformanceError(reason);
    this.socket.destroy();
  }
}
