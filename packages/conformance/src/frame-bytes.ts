/** What a vector says of an attachment's bytes. */
export type AttachmentSpec = { readonly hex: string } | { readonly byte: number; readonly length: number };

/** The bytes of an attachment; none is null. */
export function attachmentBytes(spec: AttachmentSpec | null): Buffer | null {
  if (spec === null) return null;
  return "hex" in spec ? Buffer.from(spec.hex, "hex") : Buffer.alloc(spec.length, spec.byte);
}

/** A frame: 4 bytes of length, big-endian, the JSON, and a zero byte before an attachment. */
export function frameBytes(message: unknown, attachment: Buffer | null = null): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const payload = attachment === null ? json : Buffer.concat([json, Buffer.of(0), attachment]);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

/** A payload taken apart: the text of its JSON, and the attachment after the first zero byte. */
export function splitPayload(payload: Buffer): { readonly json: string; readonly attachment: Buffer | null } {
  const zero = payload.indexOf(0);
  return zero < 0
    ? { json: payload.toString("utf8"), attachment: null }
    : { json: payload.subarray(0, zero).toString("utf8"), attachment: payload.subarray(zero + 1) };
}
