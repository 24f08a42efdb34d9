import { toByteUnits } from "./byte-units.js";

const REQUEST_ID = ',"requestId":';
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
    const payload = toByteUnits(json);
    this.#bytes += toHeader(payload.length) + payload;
    this.#frames += 1;
  }

  /** Adds a reply with a result, whose head comes from `SuccessHeads`; without `requestId` when the request had none. */
  addSuccess(head: string, requestId: number | null): void {
    if (requestId === null) {
      this.#bytes += `${toHeader(head.length + 1) + head}}`;
    } else {
      const id = String(requestId);
      const length = head.length + REQUEST_ID.length + id.length + 1;
      this.#bytes = `${this.#bytes + toHeader(length) + head + REQUEST_ID + id}}`;
    }
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
