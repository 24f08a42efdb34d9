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

/** One frame: the payload's length in 4 bytes, big-endian, and the JSON. */
export function encodeFrame(message: Outgoing): Buffer {
  const json = JSON.stringify(message);
  const jsonBytes = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + jsonBytes);
  frame.writeUInt32BE(jsonBytes, 0);
  frame.write(json, LENGTH_BYTES, "utf8");
  return frame;
}

/**
 * What stands before the bytes of an attachment: the length of it all, the JSON and a zero byte. Throws a RangeError
 * for a payload that a 4-byte length can't tell.
 */
export function encodeAttachmentHead(message: Outgoing, attachmentBytes: number): Buffer {
  const json = JSON.stringify(message);
  const jsonBytes = Buffer.byteLength(json);
  const payloadBytes = jsonBytes + 1 + attachmentBytes;
  if (payloadBytes > MAX_PAYLOAD_BYTES) {
    throw new RangeError(`a payload of ${payloadBytes} bytes doesn't fit a frame`);
  }
  const head = Buffer.alloc(LENGTH_BYTES + jsonBytes + 1);
  head.writeUInt32BE(payloadBytes, 0);
  head.write(json, LENGTH_BYTES, "utf8");
  return head;
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

/** A refusal of what can't be understood; with the id of the request, where that is known. */
export function badRequest(requestId: number | null, reason: string): Outgoing {
  return toFailure(requestId, `bad request: ${reason}`, { kind: "badRequest", reason });
}

/** A refusal of what there is no room for. */
export function overloaded(requestId: number | null, reason: string): Outgoing {
  return toFailure(requestId, `overloaded: ${reason}`, { kind: "overloaded", reason });
}

/** What a request is answered with that a stopping core doesn't answer any more. */
export function shuttingDown(requestId: number | null, command: string, mayHaveExecuted: boolean): Outgoing {
  const text = `${command}: the core is shutting down${mayHaveExecuted ? "; it may have been executed" : ""}`;
  return toFailure(requestId, text, { kind: "shuttingDown", command, mayHaveExecuted });
}
