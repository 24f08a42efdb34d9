import { describe, expect, it } from "vitest";
import { FrameBatch } from "./frame-batch.js";
import { encodeFrame, type Outgoing, toSuccess } from "./response-encoder.js";
import { SuccessHeads } from "./success-heads.js";

describe("FrameBatch", () => {
  it("holds the same bytes as frames one by one, of any length and text", () => {
    const messages: Outgoing[] = ["", "a", "é📢", "x".repeat(127), "y".repeat(300), "ß".repeat(40_000)].map(
      (result, i) => ({ success: true, result, requestId: i + 1 }),
    );
    const batch = new FrameBatch();
    for (const message of messages) batch.add(JSON.stringify(message));
    const expected = Buffer.concat(messages.map(encodeFrame));
    expect(batch.frames).toBe(messages.length);
    expect(batch.length).toBe(expected.length);
    expect(Buffer.from(batch.take(), "latin1").equals(expected)).toBe(true);
    expect(batch.take()).toBe("");
  });

  it("holds replies with results as JSON.stringify writes them whole, kept results too", () => {
    const kept = Object.freeze({ name: "größe", text: "a\u0000\n📢" });
    const results = [kept, kept, undefined, null, 0, "é", [undefined], { a: undefined, b: Number.NaN }];
    const heads = new SuccessHeads();
    const batch = new FrameBatch();
    const expected: Buffer[] = [];
    for (const result of results) {
      for (const id of [null, 7, 2 ** 53 - 1]) {
        batch.addSuccess(heads.of(result), id);
        expected.push(encodeFrame(toSuccess(id, result)));
      }
    }
    expect(batch.frames).toBe(expected.length);
    expect(Buffer.from(batch.take(), "latin1")).toEqual(Buffer.concat(expected));
  });
});
