import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttachmentSink, FrameDecoder } from "./frame-decoder.js";
import { BufferSink } from "./buffer-sink.js";
import { parseRun } from "./message-decoder.js";
import { PeerConnection } from "./testing/scripted-peer.js";

const LARGE = Buffer.alloc(200_003, 7);
const frames: readonly (readonly [unknown, Buffer?])[] = [
  [{ text: "äöü € 📢", requestId: 1 }],
  [{}],
  [{ requestId: 2 }, Buffer.from([0, 10, 0, 13, 255, 10, 0, 0])],
  [{ requestId: 3 }, Buffer.alloc(0)],
  [{ requestId: 4, text: "x".repeat(300) }],
];
const stream = Buffer.concat([...frames.map((frame) => PeerConnection.frame(...frame)), Buffer.alloc(4)]);
const expected = [
  ...frames.map(([json, attachment]) => [JSON.stringify(json), attachment?.toString("hex") ?? null]),
  ["", null],
];

/** A decoder that notes what it was told. */
class Recorder {
  readonly told: (readonly [string, string | null])[] = [];
  /** How many frames each run had. */
  readonly runs: number[] = [];
  readonly decoder: FrameDecoder;

  constructor(maxFrameBytes?: number, sinkFor?: (bytes: number) => AttachmentSink | null) {
    this.decoder = new FrameDecoder(
      {
        onRun: (json, frames) => this.#onRun(json, frames),
        onMessage: (json) => this.told.push([json, null]),
        onAttachment: (json, bytes) => {
          const buffer = Buffer.alloc(bytes);
          const keep = new BufferSink(buffer, () => this.told.push([json, buffer.toString("hex")]));
          return sinkFor === undefined ? keep : sinkFor(bytes);
        },
      },
      maxFrameBytes,
    );
  }

  /** As whoever parses it does. */
  #onRun(json: string, frames: number): boolean {
    const values = parseRun(json, frames);
    if (values === null) return false;
    this.runs.push(frames);
    for (const value of values) this.told.push([JSON.stringify(value), null]);
    return true;
  }

  /** Reads as a socket does: into what the decoder gives, as far as it goes. */
  read(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      const buffer = this.decoder.buffer();
      const copied = chunk.copy(buffer, 0, offset);
      this.decoder.read(copied, buffer);
      // What was read there is overwritten: nothing may be left that is a view of it.
      offset += copied;
    }
  }
}

describe.each(["push", "read"] as const)("FrameDecoder.%s", (how) => {
  function decode(chunks: readonly Buffer[]): Recorder["told"] {
    const recorder = new Recorder();
    for (const chunk of chunks) {
      if (how === "read") recorder.read(chunk);
      else recorder.decoder.push(Buffer.from(chunk));
    }
    expect(recorder.decoder.isPartial).toBe(false);
    return recorder.told;
  }

  it("takes coalesced frames", () => {
    expect(decode([stream])).toEqual(expected);
  });

  it("takes frames split at any byte, in two, and in three around each attachment's bytes", () => {
    for (let at = 0; at <= stream.length; at += 1) {
      expect(decode([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected);
      const next = Math.min(stream.length, at + 3);
      expect(decode([stream.subarray(0, at), stream.subarray(at, next), stream.subarray(next)])).toEqual(
        expected,
      );
    }
  });

  it("takes a byte at a time", () => {
    expect(decode([...stream].map((byte) => Buffer.of(byte)))).toEqual(expected);
  });

  it("takes long JSON, alone and before an attachment, in pieces of any size", () => {
    const text = "größe".repeat(60_000);
    const long = [
      PeerConnection.frame({ text }),
      PeerConnection.frame({ text }, LARGE),
      PeerConnection.frame({}),
    ];
    const bytes = Buffer.concat(long);
    for (const size of [1_000, 65_536, 65_537, 300_000, bytes.length]) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      const told = decode(chunks);
      expect(told.map(([json]) => json)).toEqual([JSON.stringify({ text }), JSON.stringify({ text }), "{}"]);
      expect(told[1]?.[1]).toBe(LARGE.toString("hex"));
    }
  });
});

describe("FrameDecoder", () => {
  it("has a large attachment read to where it belongs", () => {
    const target = Buffer.alloc(LARGE.length);
    let ended = 0;
    const { decoder } = new Recorder(undefined, () => new BufferSink(target, () => (ended += 1)));
    const frame = PeerConnection.frame({ requestId: 1 }, LARGE);
    decoder.push(frame.subarray(0, 100));
    const room = decoder.buffer();
    expect(room.buffer).toBe(target.buffer);
    expect(room.byteOffset - target.byteOffset).toBe(100 - (frame.length - LARGE.length));
    frame.copy(room, 0, 100);
    decoder.read(frame.length - 100, room);
    expect(ended).toBe(1);
    expect(target.equals(LARGE)).toBe(true);
  });

  it("skips an attachment that nobody wants, also from its middle on", () => {
    for (const skipAt of [0, 50_000]) {
      const target = Buffer.alloc(LARGE.length);
      const recorder = new Recorder(undefined, () =>
        skipAt === 0 ? null : new BufferSink(target, () => undefined),
      );
      const frame = PeerConnection.frame({ requestId: 1 }, LARGE);
      recorder.read(frame.subarray(0, 60_000));
      const room = recorder.decoder.buffer();
      if (skipAt > 0) expect(recorder.decoder.takeAttachment()).not.toBeNull();
      // What the socket was given before is still read into.
      const copied = frame.copy(room, 0, 60_000);
      recorder.decoder.read(copied, room);
      recorder.read(frame.subarray(60_000 + copied));
      recorder.read(PeerConnection.frame({ next: 1 }));
      expect(recorder.told).toEqual([['{"next":1}', null]]);
    }
  });

  it("knows that it stands within a frame", () => {
    const { decoder } = new Recorder();
    decoder.push(stream.subarray(0, 2));
    expect(decoder.isPartial).toBe(true);
    decoder.push(stream.subarray(2, 10));
    expect(decoder.isPartial).toBe(true);
  });

  it("refuses a length over the limit before it allocates", () => {
    const before = process.memoryUsage().arrayBuffers;
    const refusal = expect.objectContaining({ name: "ConnectionError", code: "protocol" }) as Error;
    expect(() => new Recorder().decoder.push(Buffer.from("ffffffff", "hex"))).toThrow(refusal);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(() => new Recorder(10).decoder.push(Buffer.from("0000000b", "hex"))).toThrow(
      /11 bytes; at most 10/u,
    );
  });

  it("allocates for JSON what came, not what was announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const header = Buffer.alloc(4);
    header.writeUInt32BE(900_000_000);
    const { decoder } = new Recorder();
    decoder.push(Buffer.concat([header, Buffer.from("{")]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(decoder.isPartial).toBe(true);
  });
});

describe("FrameDecoder, with many frames in a chunk", () => {
  const short = Array.from({ length: 40 }, (_, i) => ({ requestId: i, text: "größe 📢".repeat(i % 5) }));
  const toBytes = (parts: readonly (string | Buffer)[]): Buffer =>
    Buffer.concat(
      parts.map((part) => {
        const payload = Buffer.from(part);
        const header = Buffer.alloc(4);
        header.writeUInt32BE(payload.length);
        return Buffer.concat([header, payload]);
      }),
    );

  it("tells those that are JSON alone together", () => {
    const recorder = new Recorder();
    const bytes = Buffer.concat(short.map((message) => PeerConnection.frame(message)));
    // The last one is still to come: those before it don't wait for it.
    recorder.read(bytes.subarray(0, -3));
    expect(recorder.runs).toEqual([39]);
    recorder.read(bytes.subarray(-3));
    expect(recorder.told).toEqual(short.map((message) => [JSON.stringify(message), null]));
    expect(recorder.runs).toEqual([39]);
  });

  it.each<[string, string | Buffer, readonly [string, string | null]]>([
    ["an attachment", '{"a":1}\0\0\n[]', ['{"a":1}', Buffer.from("\0\n[]").toString("hex")]],
    ["no bytes", "", ["", null]],
    ["no JSON", "{", ["{", null]],
    ["two values", "1,2", ["1,2", null]],
    ["the end of an array", "1]", ["1]", null]],
    ["a raw newline in a string", '"\n"', ['"\n"', null]],
    ["what isn't UTF-8", Buffer.from([0x22, 0xc3, 0x22]), ['"\ufffd"', null]],
  ])("tells each as it came when one of them holds %s", (_, odd, told) => {
    const texts = short.map((message) => JSON.stringify(message));
    const recorder = new Recorder();
    recorder.read(toBytes([...texts.slice(0, 20), odd, ...texts.slice(20)]));
    const others = texts.map((text) => [text, null]);
    expect(recorder.told).toEqual([...others.slice(0, 20), told, ...others.slice(20)]);
  });

  it("takes any frames, cut anywhere, as it takes them one by one", () => {
    const frame = fc.oneof(
      { weight: 8, arbitrary: fc.json().map((json) => Buffer.from(json)) },
      { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(`${json}\0${json}`)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("", "[", "]", "{", "}", '"', "1,2").map((text) => Buffer.from(text)),
      },
    );
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 60 }),
        fc.array(fc.nat(2_000), { maxLength: 6 }),
        (payloads, cuts) => {
          const single = new Recorder();
          for (const payload of payloads) single.decoder.push(toBytes([payload]));
          const bytes = toBytes(payloads);
          const whole = new Recorder();
          const ends = [...new Set([...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort(
            (a, b) => a - b,
          );
          ends.forEach((end, i) => whole.read(bytes.subarray(ends[i - 1] ?? 0, end)));
          // What is told of a run was parsed: it is the same value, not the same text.
          const normal = ([json, attachment]: readonly [string, string | null]): unknown => {
            const value = parseRun(`[${json}]`, 1);
            return [value === null ? json : value[0], attachment];
          };
          expect(whole.told.map(normal)).toEqual(single.told.map(normal));
        },
      ),
      { numRuns: 500 },
    );
  });
});
