import { describe, expect, it } from "vitest";
import { LineDecoder } from "./line-decoder.js";

const MAX = 64;
const STREAM = Buffer.from('{"a":"é📢"}\n\n{"b":2}\nrest');
const LINES = ['{"a":"é📢"}', "", '{"b":2}'];

function linesOf(decoder: LineDecoder, chunks: readonly Buffer[]): string[] {
  return chunks.flatMap((chunk) => decoder.push(chunk).lines.map(String));
}

describe("LineDecoder", () => {
  it("finds the same lines wherever the stream is split, in two and into bytes", () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      const decoder = new LineDecoder(MAX);
      expect(linesOf(decoder, [STREAM.subarray(0, at), STREAM.subarray(at)])).toEqual(LINES);
      expect(decoder.isPartial).toBe(true);
    }
    const single = Array.from(STREAM, (_, index) => STREAM.subarray(index, index + 1));
    expect(linesOf(new LineDecoder(MAX), single)).toEqual(LINES);
  });

  it("takes a line of exactly the limit, and not one byte more, whole or in parts", () => {
    const exact = Buffer.from(`${"x".repeat(MAX)}\n`);
    const over = Buffer.from(`${"x".repeat(MAX + 1)}\n`);
    expect(new LineDecoder(MAX).push(exact)).toMatchObject({ oversized: false, lines: ["x".repeat(MAX)] });
    expect(new LineDecoder(MAX).push(over)).toEqual({ oversized: true, lines: [] });
    const decoder = new LineDecoder(MAX);
    expect(decoder.push(over.subarray(0, MAX)).oversized).toBe(false);
    expect(decoder.push(over.subarray(MAX)).oversized).toBe(true);
  });

  it("takes text and what isn't text line by line", () => {
    const chunk = Buffer.from("gr\u00f6\u00dfe\n\xff\nok\n", "latin1");
    const text = Buffer.concat([Buffer.from("größe\n"), chunk, Buffer.from("📢\n")]);
    expect(new LineDecoder(MAX).push(text).lines).toEqual(["größe", null, null, "ok", "📢"]);
  });

  it("finds a line over the limit among others", () => {
    const chunk = Buffer.from(`ok\n${"x".repeat(MAX + 1)}\nlost\n`);
    expect(new LineDecoder(MAX).push(chunk)).toEqual({ oversized: true, lines: ["ok"] });
    expect(
      new LineDecoder(MAX).push(Buffer.from(`${"x".repeat(MAX)}\n${"y".repeat(MAX)}\n`)).lines,
    ).toHaveLength(2);
  });

  it("gives the lines before an oversized one", () => {
    const chunk = Buffer.from(`ok\n${"x".repeat(MAX + 1)}`);
    const { lines, oversized } = new LineDecoder(MAX).push(chunk);
    expect(lines.map(String)).toEqual(["ok"]);
    expect(oversized).toBe(true);
  });
});
