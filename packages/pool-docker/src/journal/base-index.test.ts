import { describe, expect, it } from "vitest";
import { BaseIndex } from "./base-index.js";

describe("the index of bases", () => {
  it("knows what an image is built on, and nothing beside it", () => {
    const index = new BaseIndex();
    index.add("base", ["1"]);
    index.add("middle", ["1", "2"]);
    index.add("twin", ["1", "2"]);
    index.add("other", ["2"]);
    index.add("empty", []);
    expect(index.basesOf("middle", ["1", "2"])).toEqual(["base", "twin"]);
    expect(index.basesOf("new", ["1", "2", "3"])).toEqual(["base", "middle", "twin"]);
    expect(index.basesOf("new", [])).toEqual([]);
  });

  it("has room again for each image that is gone, and forgets it", () => {
    const index = new BaseIndex();
    for (let i = 0; i < 20_000; i++) index.add(`i${i}`, [`${i}`]);
    expect(index.wants("late")).toBe(false);
    index.add("late", ["0"]);
    expect(index.basesOf("new", ["0", "n"])).toEqual(["i0"]);
    index.remove("i0");
    index.add("late", ["0"]);
    expect(index.basesOf("new", ["0", "n"])).toEqual(["late"]);
    index.keepOnly(new Set(["i7"]));
    expect([index.wants("late"), index.wants("i7")]).toEqual([true, false]);
    expect(index.basesOf("new", ["7", "n"])).toEqual(["i7"]);
    expect(index.basesOf("new", ["8", "n"])).toEqual([]);
  });
});
