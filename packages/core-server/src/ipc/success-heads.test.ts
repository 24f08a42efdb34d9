import { describe, expect, it } from "vitest";
import { toSuccess } from "./response-encoder.js";
import { SuccessHeads } from "./success-heads.js";

describe("SuccessHeads", () => {
  it("encodes a frozen result once, and one that may change each time", () => {
    const encoded: string[] = [];
    const named = (name: string): { toJSON: () => string } => ({
      toJSON: () => {
        encoded.push(name);
        return name;
      },
    });
    const kept = new SuccessHeads();
    const frozen = Object.freeze(named("frozen"));
    const open = named("open");
    expect([frozen, frozen, open, open, frozen].map((result) => kept.of(result))).toEqual(
      ["frozen", "frozen", "open", "open", "frozen"].map((name) => `{"success":true,"result":"${name}"`),
    );
    expect(encoded).toEqual(["frozen", "open", "open"]);
  });

  it("takes no value for another", () => {
    const kept = new SuccessHeads();
    const results = [
      null,
      1,
      null,
      "a",
      Object.freeze({ a: 1 }),
      Object.freeze({ a: 1 }),
      Object.freeze([]),
      undefined,
    ];
    const heads = results.map((result) => `${kept.of(result)}}`);
    expect(heads).toEqual(results.map((result) => JSON.stringify(toSuccess(null, result))));
  });
});
