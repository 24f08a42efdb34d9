import { describe, expect, it } from "vitest";
import type { UsageAttribution } from "./attribute-usage.js";
import { largestConsumer } from "./largest-consumer.js";

const image = {
  kind: "image",
  id: "sha256:1",
  name: "db:16",
  sizeBytes: 60,
  uniqueBytes: 60,
  sharedBytes: 0,
} as UsageAttribution["entries"][number];

function attribution(more: Partial<UsageAttribution>): UsageAttribution {
  return { categories: [], entries: [image], accountedBytes: 100, unexplainedBytes: 99, ...more };
}

describe("what takes up most of a disk", () => {
  it("is the engine's largest thing while the engine holds most", () => {
    expect(largestConsumer(attribution({}))).toEqual({ kind: "image", name: "db:16", sizeBytes: 60 });
    expect(largestConsumer(attribution({ unexplainedBytes: null }))).toMatchObject({ kind: "image" });
  });

  it("is what others hold where that is more than all of the engine's", () => {
    expect(largestConsumer(attribution({ unexplainedBytes: 101 }))).toMatchObject({
      kind: "files",
      sizeBytes: 101,
    });
  });

  it("isn't known where no size is", () => {
    expect(largestConsumer(attribution({ entries: [] }))).toBeNull();
    expect(largestConsumer(attribution({ entries: [{ ...image, sizeBytes: null }] }))).toBeNull();
  });
});
