import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Inventory, InventoryImage } from "./inventory.js";
import { type ImagePolicy, planImages } from "./plan-images.js";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;

const policy: ImagePolicy = {
  minAgeMs: DAY,
  keepLabel: { key: "keep", value: "true" },
  allowIrrecoverable: true,
  digestsAreFromRegistries: true,
};

function image(id: string, given: Partial<InventoryImage> = {}): InventoryImage {
  const times = { createdAtMs: NOW - 9 * DAY, taggedAtMs: null, arrivedAtMs: NOW - 9 * DAY };
  const rest = { parentId: "", layers: [], tags: [`${id}:1`], digests: [], labels: {}, sizeBytes: 10 };
  return { id, ...rest, ...times, ...given };
}

const plan = (images: InventoryImage[], given: Partial<ImagePolicy> = {}, used: string[] = []) => {
  const { candidates, protectedImages } = planImages(
    { images, usedImages: new Set(used) },
    { ...policy, ...given },
    NOW,
  );
  return {
    keys: candidates.map(({ key }) => key),
    kept: new Map(protectedImages.map(({ key, reason }) => [key, reason])),
    candidates,
  };
};

describe("planImages", () => {
  it("keeps an image whose layers belong to one that stays: deleting it would free nothing", () => {
    const base = image("base", { layers: ["l1", "l2"], sizeBytes: 170 });
    const child = image("child", { layers: ["l1", "l2", "l3"], sizeBytes: 171, arrivedAtMs: NOW - 2 * DAY });
    const { keys, kept } = plan([base, child], {}, ["child"]);
    expect(keys).toEqual([]);
    expect(kept.get("base")).toContain("would free nothing");
  });

  it("takes a child before its base, and counts the base's bytes once", () => {
    const base = image("base", { layers: ["l1"], sizeBytes: 100, arrivedAtMs: NOW - 50 * DAY });
    const child = image("child", { layers: ["l1", "l2"], sizeBytes: 130, arrivedAtMs: NOW - 40 * DAY });
    const { keys, candidates } = plan([base, child]);
    expect(keys).toEqual(["child", "base"]);
    expect(candidates.map(({ expectedBytes }) => expectedBytes)).toEqual([30, 100]);
  });

  it("leaves a second name for the layers of an image that stays", () => {
    const used = image("a", { layers: ["l1"], sizeBytes: 100 });
    const twin = image("b", { layers: ["l1"], sizeBytes: 100 });
    expect(plan([used, twin], {}, ["a"]).kept.get("b")).toContain("would free nothing");
    expect(plan([used, twin], {}, ["b"]).kept.get("a")).toContain("would free nothing");
  });

  it("takes dangling images first, then the longest untouched", () => {
    const { keys } = plan([
      image("new", { arrivedAtMs: NOW - 2 * DAY }),
      image("old", { arrivedAtMs: NOW - 8 * DAY, createdAtMs: NOW - 99 * DAY }),
      image("dangling", { tags: [], arrivedAtMs: NOW - 3 * DAY, createdAtMs: NOW - 3 * DAY }),
    ]);
    expect(keys).toEqual(["dangling", "old", "new"]);
  });

  it("knows that an old image which was just pulled or tagged is young", () => {
    const { keys, kept } = plan([
      image("pulled", { createdAtMs: NOW - 900 * DAY, arrivedAtMs: NOW - 1 }),
      image("tagged", { createdAtMs: NOW - 900 * DAY, taggedAtMs: NOW - 1 }),
    ]);
    expect(keys).toEqual([]);
    expect(kept.get("pulled")).toContain("younger");
  });

  it("keeps what is used by id or by reference, labelled, or of unknown age, even with no minimum age", () => {
    const { keys } = plan(
      [
        image("byId"),
        image("byTag"),
        image("labelled", { labels: { keep: "true" } }),
        image("unknown", { arrivedAtMs: null, taggedAtMs: null }),
        image("free"),
      ],
      { minAgeMs: 0 },
      ["byId", "byTag:1"],
    );
    expect(keys).toEqual(["free"]);
  });

  it("keeps what can't be had again unless it may go", () => {
    const images = [
      image("local"),
      image("dangling", { tags: [] }),
      image("pulled", { digests: ["r/pulled@sha256:1"] }),
    ];
    expect(plan(images, { allowIrrecoverable: false }).keys).toEqual(["pulled"]);
    expect(plan(images).keys).toHaveLength(3);
    expect(plan(images).candidates.find(({ key }) => key === "pulled")?.reason).toContain(
      "docker pull r/pulled@sha256:1",
    );
    // With containerd every image has a digest: it proves nothing.
    expect(plan(images, { allowIrrecoverable: false, digestsAreFromRegistries: false }).keys).toEqual([]);
  });

  it("keeps what kept images are built on, over nameless steps, and deletes children before parents", () => {
    const chain = [
      image("base", { arrivedAtMs: NOW - 50 * DAY, createdAtMs: NOW - 50 * DAY, sizeBytes: 4 }),
      image("step", { tags: [], parentId: "base", sizeBytes: 6 }),
      image("child", { parentId: "step" }),
    ];
    expect(plan(chain).keys).toEqual(["child", "base"]);
    expect(plan(chain).candidates[0]?.expectedBytes).toBe(4);
    const used = plan(chain, {}, ["child"]);
    expect(used.keys).toEqual([]);
    expect(used.kept.get("base")).toContain("built on it");
  });

  it("survives images that claim to be built on each other", () => {
    expect(plan([image("a", { parentId: "b" }), image("b", { parentId: "a" })]).keys).toHaveLength(2);
  });

  const time = fc.option(fc.integer({ min: NOW - 30 * DAY, max: NOW + DAY }), { nil: null });
  const anyInventory = fc
    .array(
      fc.record({
        tags: fc.integer({ min: 0, max: 2 }),
        hasDigest: fc.boolean(),
        isKept: fc.boolean(),
        isUsed: fc.boolean(),
        parent: fc.integer({ min: 0, max: 12 }),
        createdAtMs: time,
        taggedAtMs: time,
        arrivedAtMs: time,
      }),
      { maxLength: 10 },
    )
    .map((given): Inventory => {
      const images = given.map(({ tags, hasDigest, isKept, parent, ...times }, i) =>
        image(`i${i}`, {
          ...times,
          parentId: parent < i ? `i${parent}` : "",
          tags: Array.from({ length: tags }, (_, t) => `i${i}:${t}`),
          digests: hasDigest ? [`i${i}@sha256:0`] : [],
          labels: isKept ? { keep: "true" } : {},
        }),
      );
      return { images, usedImages: new Set(given.flatMap(({ isUsed }, i) => (isUsed ? [`i${i}`] : []))) };
    });

  it("never offers an image that is used, kept, young, of unknown age, not to be had again, or built upon by one that stays", () => {
    fc.assert(
      fc.property(
        anyInventory,
        fc.integer({ min: 0, max: 20 * DAY }),
        fc.boolean(),
        (inventory, minAgeMs, all) => {
          const { candidates, protectedImages } = planImages(
            inventory,
            { ...policy, minAgeMs, allowIrrecoverable: all },
            NOW,
          );
          const going = new Set(candidates.map(({ key }) => key));
          for (const { image: each } of candidates) {
            expect(inventory.usedImages.has(each.id)).toBe(false);
            expect(each.labels).toEqual({});
            expect(each.taggedAtMs ?? each.arrivedAtMs).not.toBeNull();
            for (const atMs of [each.createdAtMs, each.taggedAtMs, each.arrivedAtMs]) {
              if (atMs !== null) expect(NOW - atMs).toBeGreaterThanOrEqual(minAgeMs);
            }
            if (!all) expect(each.digests).not.toEqual([]);
          }
          for (const { image: each } of protectedImages) expect(going.has(each.parentId)).toBe(false);
          expect(new Set([...going, ...protectedImages.map(({ key }) => key)]).size).toBe(
            candidates.length + protectedImages.length,
          );
        },
      ),
    );
  });

  it("gives the same order for the same images in any order, children before their parents", () => {
    fc.assert(
      fc.property(anyInventory, (inventory) => {
        const free = { ...policy, minAgeMs: 0 };
        const keys = planImages(inventory, free, NOW).candidates.map(({ key }) => key);
        const reversed = { ...inventory, images: [...inventory.images].reverse() };
        expect(planImages(reversed, free, NOW).candidates.map(({ key }) => key)).toEqual(keys);
        for (const { id, parentId } of inventory.images) {
          if (keys.includes(id) && keys.includes(parentId)) {
            expect(keys.indexOf(id)).toBeLessThan(keys.indexOf(parentId));
          }
        }
      }),
    );
  });
});
