import { describe, expect, it } from "vitest";
import { encodeAttachmentHead, encodeFrame, toFailure, toSuccess } from "./response-encoder.js";

describe("encodeFrame", () => {
  it("is the length in four bytes, big-endian, and the JSON in UTF-8", () => {
    const json = '{"success":true,"result":"é📢","requestId":7}';
    const frame = encodeFrame(toSuccess(7, "é📢"));
    expect(frame.readUInt32BE(0)).toBe(Buffer.byteLength(json));
    expect(frame.subarray(4).toString("utf8")).toBe(json);
  });

  it("puts an attachment behind one zero byte, whatever it contains", () => {
    const attachment = Buffer.from([0, 10, 255, 0]);
    const frame = Buffer.concat([encodeAttachmentHead(toSuccess(1, null), attachment.length), attachment]);
    const payload = frame.subarray(4);
    expect(frame.readUInt32BE(0)).toBe(payload.length);
    const zero = payload.indexOf(0);
    expect(payload.subarray(0, zero).toString()).toBe('{"success":true,"result":null,"requestId":1}');
    expect(payload.subarray(zero + 1)).toEqual(attachment);
  });

  it("refuses an attachment that the length can't tell", () => {
    expect(() => encodeAttachmentHead(toSuccess(1, null), 2 ** 32)).toThrow(RangeError);
  });

  it("leaves requestId out where the request had none", () => {
    const detail = { kind: "badRequest", reason: "r" } as const;
    expect(
      encodeFrame(toFailure(null, "text", detail))
        .subarray(4)
        .toString(),
    ).toBe('{"success":false,"error":"text","errorDetail":{"kind":"badRequest","reason":"r"}}');
  });
});
