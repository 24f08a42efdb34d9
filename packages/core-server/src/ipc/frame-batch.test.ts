import { describe, expect, it } from "vitest";
import { FrameBatch } from "./frame-batch.js";
import { encodeFrame, type Outgoing } from "./response-encoder.js";

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
});
