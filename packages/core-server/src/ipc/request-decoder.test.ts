import { describe, expect, it } from "vitest";
import { decodeRequest } from "./request-decoder.js";

describe("decodeRequest", () => {
  it("takes params beside the command", () => {
    const line = Buffer.from('{"command":"c","requestId":7,"a":1,"b":{"x":"é"}}');
    expect(decodeRequest(line)).toEqual({
      kind: "request",
      command: "c",
      requestId: 7,
      params: { a: 1, b: { x: "é" } },
    });
  });

  it("takes a request without an id", () => {
    expect(decodeRequest(Buffer.from('{"command":"c"}\r'))).toMatchObject({
      kind: "request",
      requestId: null,
    });
  });

  it("keeps a param named __proto__ an ordinary own key", () => {
    const request = decodeRequest(Buffer.from('{"command":"c","__proto__":{"polluted":true}}'));
    if (request.kind !== "request") throw new Error(request.reason);
    expect(Object.getPrototypeOf(request.params)).toBe(Object.prototype);
    expect(Object.keys(request.params)).toEqual(["__proto__"]);
    expect("polluted" in request.params).toBe(false);
  });

  it.each([
    ["", null, false],
    ["hello", null, false],
    ["[]", null, true],
    ["null", null, true],
    ["7", null, true],
    ['{"requestId":3}', 3, true],
    ['{"command":7,"requestId":3}', 3, true],
    ['{"command":"c","requestId":0}', null, true],
    ['{"command":"c","requestId":-1}', null, true],
    ['{"command":"c","requestId":1.5}', null, true],
    ['{"command":"c","requestId":"1"}', null, true],
    ['{"command":"c","requestId":null}', null, true],
    ['{"command":"c","requestId":9007199254740992}', null, true],
  ])("refuses %j", (line, requestId, isJson) => {
    expect(decodeRequest(Buffer.from(line))).toMatchObject({ kind: "refused", requestId, isJson });
  });

  it("refuses what is not UTF-8 rather than guess", () => {
    const line = Buffer.from('{"command":"\xff"}', "latin1");
    expect(decodeRequest(line)).toMatchObject({ kind: "refused", reason: "the line is not UTF-8" });
  });
});
