/** Headers of frames up to this length are made once. */
const MAX_KEPT_HEADERS = 16 * 1024;

const headers: (string | undefined)[] = [];

/**
 * Collects the frames of a turn as one string whose units are bytes (`latin1`): joining strings and one write of them
 * costs a third of a Buffer per frame.
 */
export class FrameBatch {
  #bytes = "";
  #frames = 0;

  /** Bytes that are collected. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Frames that are collected. */
  get frames(): number {
    return this.#frames;
  }

  /** Adds a frame around JSON text. */
  add(json: string): void {
    const length = Buffer.byteLength(json);
    // Equally many bytes and units: it is all ASCII, whose units are its bytes.
    const payload = length === json.length ? json : Buffer.from(json, "utf8").toString("latin1");
    this.#bytes += toHeader(length) + payload;
    this.#frames += 1;
  }

  /** Takes everything out, to be written as `latin1`. */
  take(): string {
    const bytes = this.#bytes;
    this.#bytes = "";
    this.#frames = 0;
    return bytes;
  }
}

function toHeader(length: number): string {
  const kept = headers[length];
  if (kept !== undefined) return kept;
  const header = String.fromCharCode(
    length >>> 24,
    (length >>> 16) & 255,
    (length >>> 8) & 255,
    length & 255,
  );
  if (length < MAX_KEPT_HEADERS) headers[length] = header;
  return header;
}
