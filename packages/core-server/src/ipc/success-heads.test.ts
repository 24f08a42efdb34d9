import { describe, expect, it } from "vitest";
import { KeptJson } from "./kept-json.js";

describe("KeptJson", () => {
  it("encodes a frozen result once, and one that may change each time", () => {
    const encoded: string[] = [];
    const named = (name: string): { toJSON: () => string } => ({
      toJSON: () => {
        encoded.push(name);
        return name;
      },
    });
    const kept = new KeptJson();
    const frozen = Object.freeze(named("frozen"));
    const open = named("open");
    expect([frozen, frozen, open, open, frozen].map((result) => kept.of(result))).toEqual(
      ["frozen", "frozen", "open", "open", "frozen"].map((name) => JSON.stringify(name)),
    );
    expect(encoded).toEqual(["frozen", "open", "open"]);
  });

  it("takes no value for another", () => {
    const kept = new KeptJson();
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
    expect(results.map((result) => kept.of(result))).toEqual(results.map((result) => JSON.stringify(result)));
  });
});
