import { describe, expect, it } from "vitest";
import { decodeMessage } from "./message-decoder.js";

const json = (value: unknown): string => JSON.stringify(value);

describe("decodeMessage", () => {
  it("reads a success, its result null when there is none", () => {
    expect(decodeMessage(json({ success: true, result: { a: 1 }, requestId: 7 }))).toEqual({
      kind: "success",
      requestId: 7,
      result: { a: 1 },
    });
    expect(decodeMessage(json({ success: true, requestId: 7 }))).toMatchObject({ result: null });
  });

  it("reads a failure, with or without detail and id", () => {
    const errorDetail = { kind: "internal", message: "x" };
    expect(decodeMessage(json({ success: false, error: "no", errorDetail, requestId: 7 }))).toEqual({
      kind: "failure",
      requestId: 7,
      error: "no",
      errorDetail,
    });
    expect(decodeMessage(json({ success: false }))).toMatchObject({
      kind: "failure",
      requestId: null,
      error: "the core gave no reason",
    });
  });

  it("reads an event", () => {
    expect(decodeMessage(json({ event: "e", data: 1 }))).toEqual({ kind: "event", name: "e", data: 1 });
  });

  it.each([
    [{}],
    [{ success: true }],
    [{ requestId: "7", success: true }],
    [{ requestId: -1 }],
    [{ requestId: 1.5 }],
  ])("drops %j", (message) => {
    expect(decodeMessage(json(message))).toEqual({ kind: "unknown" });
  });

  it.each([["no json"], [""], ["[1]"], ["null"], ['{"requestId":1}'], ['{"requestId":1,"success":1}']])(
    "refuses %j",
    (text) => {
      expect(() => decodeMessage(text)).toThrow(expect.objectContaining({ code: "protocol" }) as Error);
    },
  );
});
