import type { ErrorDetail } from "@continuum/wire-types";

const LENGTH_BYTES = 4;
const MAX_PAYLOAD_BYTES = 0xffff_ffff;

/** What a frame can say: a reply (with the id of its request, if that had one) or an event. */
export type Outgoing =
  | { readonly success: true; readonly result: unknown; readonly requestId?: number }
  | {
      readonly success: false;
      readonly error: string;
      readonly requestId?: number;
      readonly errorDetail: ErrorDetail;
    }
  | { readonly event: string; readonly data: unknown };

/**
 * One frame: the payload's length in 4 bytes, big-endian, the JSON, and for an attachment a zero byte and its bytes.
 * Throws a RangeError for a payload that a 4-byte length can't tell.
 */
export function encodeFrame(message: Outgoing, attachment?: Uint8Array): Buffer {
  const json = JSON.stringify(message);
  const jsonBytes = Buffer.byteLength(json);
  const payloadBytes = jsonBytes + (attachment === undefined ? 0 : 1 + attachment.byteLength);
  if (payloadBytes > MAX_PAYLOAD_BYTES) {
    throw new RangeError(`a payload of ${payloadBytes} bytes doesn't fit a frame`);
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + payloadBytes);
  frame.writeUInt32BE(payloadBytes, 0);
  frame.write(json, LENGTH_BYTES, "utf8");
  if (attachment !== undefined) {
    frame[LENGTH_BYTES + jsonBytes] = 0;
    frame.set(attachment, LENGTH_BYTES + jsonBytes + 1);
  }
  return frame;
}

/** A reply that carries a result; without `requestId` when the request had none. */
export function toSuccess(requestId: number | null, result: unknown): Outgoing {
  return requestId === null ? { success: true, result } : { success: true, result, requestId };
}

/** A reply that carries a failure: text for a person and a typed detail. */
export function toFailure(requestId: number | null, error: string, errorDetail: ErrorDetail): Outgoing {
  return requestId === null
    ? { success: false, error, errorDetail }
    : { success: false, error, requestId, errorDetail };
}
