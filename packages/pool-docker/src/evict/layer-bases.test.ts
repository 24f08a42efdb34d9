import { describe, expect, it } from "vitest";
import type { InventoryImage } from "./inventory.js";
import { layerBases } from "./layer-bases.js";

const image = (id: string, layers: readonly string[]): InventoryImage => ({
  id,
  layers,
  parentId: "",
  tags: [`${id}:1`],
  digests: [],
  labels: {},
  sizeBytes: 1,
  createdAtMs: 1,
  taggedAtMs: 1,
  arrivedAtMs: 1,
});
const basesOf = (...images: InventoryImage[]): Record<string, string> =>
  Object.fromEntries(layerBases(images));

describe("layerBases", () => {
  it("finds the image with the most of the layers below", () => {
    expect(
      basesOf(
        image("top", ["a", "b", "c"]),
        image("low", ["a"]),
        image("mid", ["a", "b"]),
        image("other", ["x", "b"]),
      ),
    ).toEqual({ top: "mid", mid: "low" });
  });

  it("goes by the whole chain from the base up, not by single layers", () => {
    expect(basesOf(image("one", ["a", "b"]), image("two", ["b"]), image("three", ["b", "a"]))).toEqual({
      three: "two",
    });
  });

  it("of images with the same layers, one is the base of the other, and none of itself", () => {
    expect(basesOf(image("b", ["x", "y"]), image("a", ["x", "y"]), image("c", ["x"]))).toEqual({
      a: "c",
      b: "a",
    });
    expect(basesOf(image("a", []), image("b", []))).toEqual({});
  });
});
