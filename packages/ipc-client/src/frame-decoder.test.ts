import { describe, expect, it } from "vitest";
import { FrameDecoder } from "./frame-decoder.js";
import { PeerConnection } from "./testing/scripted-peer.js";

const frames = [
  PeerConnection.frame({ text: "äöü € 📢", requestId: 1 }),
  PeerConnection.frame({}),
  PeerConnection.frame({ requestId: 2 }, Buffer.from([0, 10, 0, 13, 255])),
  Buffer.alloc(4),
];
const payloads = frames.map((frame) => frame.subarray(4).toString("hex"));
const stream = Buffer.concat(frames);

function decode(chunks: Buffer[], maxFrameBytes?: number): string[] {
  const decoder = new FrameDecoder(maxFrameBytes);
  const decoded: string[] = [];
  for (const chunk of chunks) decoder.push(chunk, (payload) => decoded.push(payload.toString("hex")));
  expect(decoder.isPartial).toBe(false);
  return decoded;
}

describe("FrameDecoder", () => {
  it("takes coalesced frames", () => {
    expect(decode([stream])).toEqual(payloads);
  });

  it("takes frames split at any byte", () => {
    for (let at = 0; at <= stream.length; at += 1) {
      expect(decode([stream.subarray(0, at), stream.subarray(at)])).toEqual(payloads);
    }
  });

  it("takes a byte at a time", () => {
    expect(decode([...stream].map((byte) => Buffer.of(byte)))).toEqual(payloads);
  });

  it("copies a large frame once, into a target of its size", () => {
    const large = Buffer.alloc(5_000_003, 7);
    const frame = Buffer.alloc(4 + large.length);
    frame.writeUInt32BE(large.length);
    large.copy(frame, 4);
    const decoder = new FrameDecoder();
    const decoded: Buffer[] = [];
    for (let at = 0; at < frame.length; at += 65_536) {
      decoder.push(frame.subarray(at, at + 65_536), (payload) => decoded.push(payload));
    }
    expect(decoded).toHaveLength(1);
    expect(decoded[0]?.equals(large)).toBe(true);
    expect(decoded[0]?.buffer.byteLength).toBe(large.length);
  });

  it("knows that it stands within a frame", () => {
    const decoder = new FrameDecoder();
    const onFrame = (): void => undefined;
    decoder.push(stream.subarray(0, 2), onFrame);
    expect(decoder.isPartial).toBe(true);
    decoder.push(stream.subarray(2, 10), onFrame);
    expect(decoder.isPartial).toBe(true);
  });

  it("refuses a length over the limit before it allocates", () => {
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decode([Buffer.from("ffffffff", "hex")])).toThrow(
      expect.objectContaining({ name: "ConnectionError", code: "protocol" }) as Error,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(() => decode([Buffer.from("0000000b", "hex")], 10)).toThrow(/11 bytes; at most 10/u);
  });
});
