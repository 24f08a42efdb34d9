import { ConnectionError } from "./connection-error.js";
import { FrameRun, HEADER_BYTES } from "./frame-run.js";

/** 1 GiB, the protocol's limit for a response frame. */
export const DEFAULT_MAX_FRAME_BYTES = 1024 ** 3;

/** What is read at once while no large frame is under way. */
const SCRATCH_BYTES = 64 * 1024;
let scratch: Buffer | null = null;

/**
 * Where all decoders have their sockets read to: what came is cut up before the loop turns to another socket, so that one
 * buffer serves any number of connections, and making a connection makes none.
 */
function sharedScratch(): Buffer {
  scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  return scratch;
}

/** The first room for JSON that doesn't come in one piece; it grows with what really comes. */
const FIRST_JSON_BYTES = 64 * 1024;

/** What takes the bytes of an attachment. */
export interface AttachmentSink {
  /** Where the next bytes go: at least one byte of room. What is written there is said by `filled`. */
  next(): Uint8Array;
  /** So many bytes were written to what `next` gave. */
  filled(bytes: number): void;
  /** All of it came. */
  end(): void;
  /** No more of it will come: the connection ended. */
  fail(error: ConnectionError): void;
}

/** Who is told of frames. */
export interface FrameSink {
  /**
   * Several frames that are JSON alone, joined to the text of an array. False when it isn't an array of so many values:
   * then each of them is told alone.
   */
  onRun(json: string, frames: number): boolean;
  /** A frame that is JSON alone. */
  onMessage(json: string): void;
  /** The JSON before an attachment of so many bytes; gives what takes them, null where nobody wants them. */
  onAttachment(json: string, bytes: number): AttachmentSink | null;
}

/**
 * Cuts a stream of bytes into frames, wherever the stream was cut, without joining chunks: the socket reads into what
 * `buffer()` gives, which is the very place where a large frame or an attachment is to be. Whatever is told to the sink
 * is told while `read` runs.
 */
export class FrameDecoder {
  readonly #scratch = sharedScratch();
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  /** JSON that came in part, and how long its frame's payload is. */
  #json: Buffer | null = null;
  #jsonLength = 0;
  #payloadLength = 0;
  #attachment: AttachmentSink | null = null;
  #attachmentLeft = 0;

  constructor(
    private readonly sink: FrameSink,
    private readonly maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES,
  ) {}

  /** Whether the stream stands within a frame: if it ends now, the frame is lost. */
  get isPartial(): boolean {
    return this.#headerLength > 0 || this.#json !== null || this.#attachmentLeft > 0;
  }

  /** Takes the sink of the attachment that is under way, if one is: the rest of its bytes goes nowhere. */
  takeAttachment(): AttachmentSink | null {
    const attachment = this.#attachment;
    this.#attachment = null;
    return attachment;
  }

  /** Where the next bytes of the stream are to be read to. */
  buffer(): Uint8Array {
    if (this.#attachment !== null) return upTo(this.#attachment.next(), this.#attachmentLeft);
    if (this.#attachmentLeft === 0 && this.#json !== null) return this.#jsonRoom(this.#json);
    return this.#scratch;
  }

  /**
   * Takes so many bytes that were read into `buffer`, which `buffer()` gave. Throws a ConnectionError `protocol`, before
   * allocating, for a length over the limit, and what the sink throws; the stream is lost then.
   */
  read(bytes: number, buffer: Uint8Array): void {
    if (buffer === this.#scratch) this.push(this.#scratch.subarray(0, bytes));
    else if (this.#attachmentLeft > 0) this.#advanceAttachment(bytes);
    else this.#advanceJson(bytes);
  }

  /** Takes a chunk that was read elsewhere; nothing of it is kept, and its headers may be written over. */
  push(chunk: Buffer): void {
    let offset = 0;
    let singlyUntil = 0;
    while (offset < chunk.length) {
      if (this.#attachmentLeft > 0) offset += this.#fillAttachment(chunk, offset);
      else if (this.#json !== null) offset += this.#fillJson(this.#json, chunk, offset);
      else if (this.#headerLength > 0 || offset < singlyUntil) offset = this.#begin(chunk, offset);
      else {
        const run = new FrameRun(chunk, offset, this.maxFrameBytes);
        if (run.isTold(this.sink)) offset = run.end;
        else {
          // Frames that didn't go together aren't looked at again together.
          singlyUntil = run.end;
          offset = this.#begin(chunk, offset);
        }
      }
    }
  }

  /** Begins a frame at `offset`, and ends it if all of it is there; gives where to go on. */
  #begin(chunk: Buffer, offset: number): number {
    let start = offset;
    if (this.#headerLength === 0 && chunk.length - offset >= HEADER_BYTES) {
      this.#payloadLength = chunk.readUInt32BE(offset);
      start += HEADER_BYTES;
    } else {
      const copied = chunk.copy(
        this.#header,
        this.#headerLength,
        offset,
        offset + HEADER_BYTES - this.#headerLength,
      );
      this.#headerLength += copied;
      start += copied;
      if (this.#headerLength < HEADER_BYTES) return start;
      this.#headerLength = 0;
      this.#payloadLength = this.#header.readUInt32BE(0);
    }
    this.#check(this.#payloadLength);
    const end = start + this.#payloadLength;
    // JSON text never holds a raw zero: the first one is the separator, whatever the attachment holds.
    const zero = chunk.indexOf(0, start);
    if (zero >= 0 && zero < end) {
      this.#beginAttachment(chunk.toString("utf8", start, zero), end - zero - 1);
      return zero + 1;
    }
    if (end <= chunk.length) {
      this.sink.onMessage(chunk.toString("utf8", start, end));
      return end;
    }
    this.#json = Buffer.allocUnsafeSlow(Math.min(this.#payloadLength, FIRST_JSON_BYTES));
    this.#jsonLength = 0;
    return start;
  }

  /** Room for more of the JSON, at most up to the payload's end. */
  #jsonRoom(json: Buffer): Buffer {
    if (this.#jsonLength < json.length) return json.subarray(this.#jsonLength);
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#payloadLength, json.length * 2));
    json.copy(grown);
    this.#json = grown;
    return grown.subarray(this.#jsonLength);
  }

  #fillJson(json: Buffer, chunk: Buffer, offset: number): number {
    const copied = chunk.copy(this.#jsonRoom(json), 0, offset);
    this.#advanceJson(copied);
    return copied;
  }

  #advanceJson(bytes: number): void {
    const json = this.#json;
    if (json === null) throw new Error("no JSON is under way");
    const before = this.#jsonLength;
    this.#jsonLength += bytes;
    const zero = json.subarray(0, this.#jsonLength).indexOf(0, before);
    if (zero >= 0) {
      const rest = json.subarray(zero + 1, this.#jsonLength);
      this.#json = null;
      this.#beginAttachment(json.toString("utf8", 0, zero), this.#payloadLength - zero - 1);
      if (rest.length > 0) this.push(rest);
    } else if (this.#jsonLength === this.#payloadLength) {
      this.#json = null;
      this.sink.onMessage(json.toString("utf8", 0, this.#jsonLength));
    }
  }

  #beginAttachment(json: string, bytes: number): void {
    this.#attachment = this.sink.onAttachment(json, bytes);
    this.#attachmentLeft = bytes;
    if (bytes === 0) this.#endAttachment();
  }

  #fillAttachment(chunk: Buffer, offset: number): number {
    const attachment = this.#attachment;
    const bytes =
      attachment === null
        ? Math.min(this.#attachmentLeft, chunk.length - offset)
        : chunk.copy(upTo(attachment.next(), this.#attachmentLeft), 0, offset);
    this.#advanceAttachment(bytes);
    return bytes;
  }

  #advanceAttachment(bytes: number): void {
    this.#attachmentLeft -= bytes;
    this.#attachment?.filled(bytes);
    if (this.#attachmentLeft === 0) this.#endAttachment();
  }

  #endAttachment(): void {
    this.takeAttachment()?.end();
  }

  #check(length: number): void {
    if (length <= this.maxFrameBytes) return;
    throw new ConnectionError(
      "protocol",
      `the peer announced a frame of ${length} bytes; at most ${this.maxFrameBytes} are taken`,
    );
  }
}

function upTo(room: Uint8Array, bytes: number): Uint8Array {
  return room.length <= bytes ? room : room.subarray(0, bytes);
}
