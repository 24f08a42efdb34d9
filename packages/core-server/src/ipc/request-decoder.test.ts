import { describe, expect, it } from "vitest";
import { decodeRequest } from "./request-decoder.js";

describe("decodeRequest", () => {
  it("takes params beside the command", () => {
    const line = '{"command":"c","requestId":7,"a":1,"b":{"x":"é"}}';
    expect(decodeRequest(line)).toEqual({
      kind: "request",
      command: "c",
      requestId: 7,
      params: { a: 1, b: { x: "é" } },
    });
  });

  it("takes a request without an id", () => {
    expect(decodeRequest('{"command":"c"}\r')).toMatchObject({
      kind: "request",
      requestId: null,
    });
  });

  it("keeps a param named __proto__ an ordinary own key", () => {
    const request = decodeRequest('{"command":"c","__proto__":{"polluted":true}}');
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
    expect(decodeRequest(line)).toMatchObject({ kind: "refused", requestId, isJson });
  });

  it("refuses what is not UTF-8 rather than guess", () => {
    expect(decodeRequest(null)).toMatchObject({ kind: "refused", reason: "the line is not UTF-8" });
  });

  it("reads plain requests as a parser does, and leaves to it what only looks plain", () => {
    const ids = [
      "7",
      "07",
      "0",
      "",
      "1.5",
      "-1",
      "1e3",
      " 7",
      "7 ",
      "9007199254740991",
      "9007199254740993",
      "12345678901234567890",
    ];
    const names = ["c", "", "größe", "a b", "\\u0063", '\\"', "\t", "📢", "__proto__"];
    for (const name of names) {
      for (const id of ids) {
        const line = `{"command":"${name}","requestId":${id}}`;
        const spaced = ` ${line}`;
        expect(decodeRequest(line), line).toEqual(decodeRequest(spaced));
      }
    }
    expect(decodeRequest('{"command":"c","requestId":7}')).toMatchObject({
      command: "c",
      requestId: 7,
      params: {},
    });
    expect(decodeRequest('{"command":"c","requestId":7}}')).toMatchObject({ kind: "refused", isJson: false });
  });
});
