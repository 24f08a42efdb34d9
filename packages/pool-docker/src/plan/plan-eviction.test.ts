import { describe, expect, it } from "vitest";
import type { InventoryImage } from "./docker-inventory.js";
import { container, DAY, ids, image, keptBy, NOW, plan, record, used } from "../testing/plan-fixtures.js";

describe("what stays", () => {
  it.each([
    ["by its id", { imageId: "sha256:a" }],
    ["by its tag", { image: "a:1" }],
    ["by its repository alone", { image: "latest-one" }],
    ["by the beginning of its id", { image: "0123456789ab" }],
    ["by its digest", { image: "r/a@sha256:d" }],
    ["by tag and digest", { image: "r/a:7@sha256:d" }],
    ["by its full name", { image: "docker.io/library/latest-one" }],
  ])("an image of a container, running or not, %s", (_how, held) => {
    const hex = "0123456789ab".padEnd(64, "0");
    const images = [
      image("a", { digests: ["r/a@sha256:d"] }),
      image("b", { id: `sha256:${hex}`, tags: ["latest-one:latest"] }),
    ];
    const containers = [container("c", { imageId: "", ...held })];
    const { entries, protectedEntries } = plan({ images, containers });
    expect(entries).toHaveLength(1);
    expect(protectedEntries.filter(({ kind }) => kind === "image").map(({ rule }) => rule)).toEqual([
      "inUse",
    ]);
  });

  it("everything that a rule names", () => {
    const images = [
      image("labelled", { labels: { keep: "true" } }),
      image("pattern", { tags: ["registry.local:5000/base/os:3"] }),
      image("byRepository", { tags: ["tools/cli:9"] }),
      image("young", { arrivedAtMs: NOW - DAY / 2 }),
      image("unknown", { arrivedAtMs: null }),
      image("old"),
    ];
    const policy = { keepReferences: ["registry.local:5000/base/*", "tools/cli"] };
    const planned = plan({ images, policy });
    expect(ids(planned)).toEqual(["old"]);
    expect(keptBy(planned)).toEqual({
      labelled: "keepLabel",
      pattern: "keepReference",
      byRepository: "keepReference",
      young: "minAge",
      unknown: "unknown",
    });
  });

  it("what was used lately, and what may have been used unseen", () => {
    const images = [image("used"), image("unwatched"), image("idle"), image("neverSeen")];
    const uses = {
      used: used(NOW - DAY / 2),
      unwatched: { ...used(NOW - 5 * DAY), unwatchedUntilMs: NOW - DAY / 2 },
      idle: used(NOW - 5 * DAY),
    };
    const planned = plan({ images, uses, policy: { minIdleMs: DAY } });
    expect(ids(planned).sort()).toEqual(["idle", "neverSeen"]);
    expect(keptBy(planned)).toEqual({ used: "minIdle", unwatched: "minIdle" });
  });

  it("the newest of each repository, with all their names", () => {
    const images = [3, 2, 1].map((n) =>
      image(`v${n}`, { tags: [`app:${n}`], createdAtMs: NOW - (10 - n) * DAY }),
    );
    const both = image("both", { tags: ["app:0", "other:1"], createdAtMs: NOW - 20 * DAY });
    const planned = plan({ images: [...images, both], policy: { keepNewestPerRepository: 2 } });
    expect(ids(planned)).toEqual(["v1"]);
    expect(keptBy(planned)).toEqual({ v3: "keepNewest", v2: "keepNewest", both: "keepNewest" });
  });

  it("under conservative what no registry has, and with containerd's store everything", () => {
    const images = [image("local"), image("pulled", { digests: ["r/pulled@sha256:d"] })];
    const policy = { name: "conservative" } as const;
    expect(ids(plan({ images, policy }))).toEqual(["pulled"]);
    const planned = plan({ images, policy, digestsAreFromRegistries: false });
    expect(keptBy(planned)).toEqual({ local: "irrecoverable", pulled: "irrecoverable" });
  });

  it("every image where nobody can tell which one a container uses", () => {
    const images = [image("a"), image("b")];
    for (const unknown of [
      { imageId: "", image: "gone:1" },
      { imageId: "", image: "" },
    ]) {
      const planned = plan({ images, containers: [container("c", { state: "running", ...unknown })] });
      expect(ids(planned)).toEqual([]);
      expect(planned.protectedEntries.filter(({ kind }) => kind === "image")).toHaveLength(2);
    }
    // Its image is known, and gone: it holds nothing that is here.
    const gone = container("c", { state: "running", imageId: "sha256:gone", image: "gone:1" });
    expect(ids(plan({ images, containers: [gone] }))).toEqual(["a", "b"]);
  });

  it("what is left out for this time", () => {
    expect(ids(plan({ images: [image("a"), image("b")], exclude: new Set(["sha256:a"]) }))).toEqual(["b"]);
  });

  it("a base of an image that stays: it would free nothing", () => {
    const base = image("base", { layers: ["l1", "l2"], layerBytes: [100, 70], sizeBytes: 170 });
    const child = image("child", { layers: ["l1", "l2", "l3"], layerBytes: [100, 70, 1], sizeBytes: 171 });
    const planned = plan({ images: [base, child], containers: [container("c", { imageId: child.id })] });
    expect(ids(planned)).toEqual([]);
    expect(keptBy(planned)).toMatchObject({ base: "neededByKept" });
  });
});

describe("layers", () => {
  const shared = (id: string, own: number, given: Partial<InventoryImage> = {}): InventoryImage =>
    image(id, { layers: ["base", id], layerBytes: [1000, own], sizeBytes: 1000 + own, ...given });

  it("counts what images share once, with the last of them", () => {
    const { entries, expectedBytes } = plan({ images: [shared("a", 1), shared("b", 2), shared("c", 3)] });
    expect(expectedBytes).toBe(1006);
    expect(entries.at(-1)?.expectedBytes).toBeGreaterThanOrEqual(1001);
  });

  it("takes several that are worth little alone where together they free what is wanted", () => {
    const dear = image("dear", { sizeBytes: 1000 });
    const uses = { dear: used(NOW - DAY, [NOW - 2 * DAY, NOW - 3 * DAY, NOW - 4 * DAY]) };
    const planned = plan({ images: [shared("a", 1), shared("b", 2), dear], uses, wantBytes: 1000 });
    expect(ids(planned).sort()).toEqual(["a", "b"]);
  });

  it("leaves all of those that share layers where what must go anyway is enough", () => {
    const images = ["a", "b"].map((id) => shared(id, 1, { tags: [] }));
    // Untagged ones come first: 1002 bytes, which a large one makes unnecessary.
    expect(
      ids(plan({ images: [...images, image("large", { sizeBytes: 5_000 })], wantBytes: 5_000 })),
    ).toEqual(["large"]);
  });

  it("takes a child before the image that it was built on", () => {
    const base = image("base", { layers: ["l1"], layerBytes: [100], sizeBytes: 100 });
    const child = image("child", { layers: ["l1", "l2"], layerBytes: [100, 30], sizeBytes: 130 });
    const label = image("label", {
      layers: ["l1", "l2"],
      layerBytes: [100, 30],
      sizeBytes: 130,
      parentId: child.id,
    });
    const planned = plan({ images: [base, child, label] });
    expect(ids(planned)).toEqual(["label", "child", "base"]);
    expect(planned.entries.map(({ expectedBytes }) => expectedBytes)).toEqual([0, 30, 100]);
  });

  it("promises of unknown layers no more than what goes", () => {
    const a = image("a", { layers: ["x", "a"], layerBytes: null, sizeBytes: 500 });
    const b = image("b", { layers: ["x", "b"], layerBytes: null, sizeBytes: 700 });
    const { entries, expectedBytes } = plan({ images: [a, b] });
    // Nobody knows how much of x there is: at most 500 of it.
    expect(expectedBytes).toBe(700);
    expect(entries[0]?.expectedBytes).toBeLessThanOrEqual(200);
  });

  it("takes sizes that don't fit an image's layers for unknown", () => {
    expect(plan({ images: [image("a", { layers: [], layerBytes: [], sizeBytes: 70 })] }).expectedBytes).toBe(
      70,
    );
    const short = image("b", { layers: ["x", "y"], layerBytes: [5], sizeBytes: 70 });
    expect(plan({ images: [short] }).expectedBytes).toBe(70);
  });

  it("promises the least where images disagree, and chooses among equals by id, in whatever order they come", () => {
    const a = image("a", { layers: ["x", "a"], layerBytes: [30, 1], sizeBytes: 31 });
    const b = image("b", { layers: ["x", "b"], layerBytes: [90, 1], sizeBytes: 91 });
    expect([plan({ images: [a, b] }), plan({ images: [b, a] })].map((p) => p.expectedBytes)).toEqual([
      32, 32,
    ]);
    const same = ["c", "a", "b"].map((id) => image(id));
    for (const images of [same, [...same].reverse()])
      expect(ids(plan({ images, wantBytes: 1 }))).toEqual(["a"]);
  });

  it("doesn't count on what nobody knows to be freed, and tries it last", () => {
    const kept = image("kept", {
      layers: ["x", "k"],
      layerBytes: null,
      sizeBytes: 900,
      labels: { keep: "true" },
    });
    // Nobody knows how much of it the image that stays holds as well.
    const unclear = image("unclear", { layers: ["x", "u"], layerBytes: null, sizeBytes: 500 });
    const images = [kept, unclear, image("clear", { sizeBytes: 100 })];
    expect(ids(plan({ images, wantBytes: 100 }))).toEqual(["clear"]);
    const planned = plan({ images, wantBytes: 101 });
    expect(ids(planned)).toEqual(["clear", "unclear"]);
    expect(planned.expectedBytes).toBe(100);
  });

  it("leaves steps of a build to the engine", () => {
    const step = image("step", { tags: [], layers: ["l1"], layerBytes: [100] });
    const top = image("top", {
      parentId: step.id,
      layers: ["l1", "l2"],
      layerBytes: [100, 5],
      sizeBytes: 105,
    });
    const planned = plan({ images: [step, top] });
    expect(ids(planned)).toEqual(["top"]);
    expect(planned.expectedBytes).toBe(105);
  });
});

describe("order", () => {
  it("dangling images first, then what was used least and longest ago", () => {
    const images = ["often", "once", "lately", "never"].map((id) => image(id));
    const planned = plan({
      images: [...images, image("dangling", { tags: [], arrivedAtMs: NOW - 2 * DAY })],
      uses: {
        often: used(
          NOW - 3 * DAY,
          [4, 5, 6, 7].map((n) => NOW - n * DAY),
        ),
        once: used(NOW - 3 * DAY),
        lately: used(NOW - DAY / 10, [NOW - DAY]),
      },
    });
    expect(ids(planned)).toEqual(["dangling", "never", "once", "often", "lately"]);
  });

  it("what can be had again before what can't, and what is superseded before what is current", () => {
    const lost = image("lost");
    const back = image("back", { digests: ["r/back@sha256:d"] });
    expect(ids(plan({ images: [lost, back] }))).toEqual(["back", "lost"]);
    const older = image("older", { tags: ["app:1"], createdAtMs: NOW - 10 * DAY });
    const newer = image("newer", { tags: ["app:2"], createdAtMs: NOW - 9 * DAY });
    expect(ids(plan({ images: [newer, older] }))).toEqual(["older", "newer"]);
  });

  it("build cache only where an image that must go anyway doesn't free enough", () => {
    const buildCache = [record("cache", { sizeBytes: 60 })];
    const images = [image("a", { sizeBytes: 1_000 })];
    expect(ids(plan({ images, buildCache, wantBytes: 60 }))).toEqual(["cache"]);
    expect(ids(plan({ images, buildCache, wantBytes: 61 }))).toEqual(["a"]);
    expect(ids(plan({ images, buildCache, wantBytes: 1_001 }))).toEqual(["cache", "a"]);
  });

  it("an untagged image of which a newer one has the name before any that has one, however much it was used", () => {
    const minute = DAY / 1_440;
    const pinned = image("pinned", { tags: [], digests: ["r/app@sha256:d"] });
    const newer = image("newer", { tags: ["r/app:2"], createdAtMs: NOW - 8 * DAY });
    const uses = { pinned: used(NOW - 20 * minute, [NOW - 30 * minute, NOW - 40 * minute]) };
    const never = image("never", { digests: ["r/never@sha256:d"] });
    expect(ids(plan({ images: [never, newer, pinned], uses }))[0]).toBe("pinned");
  });

  it("build cache by its last use, leaves first, before any image", () => {
    const buildCache = [
      record("root", { lastUsedAtMs: NOW - 9 * DAY }),
      record("leaf", { parentIds: ["root"], lastUsedAtMs: NOW - 3 * DAY }),
      record("old", { lastUsedAtMs: NOW - 5 * DAY }),
      record("busy", { inUse: true }),
      record("underBusy", {}),
      record("young", { lastUsedAtMs: NOW - DAY / 2, parentIds: ["underBusy"] }),
      record("shared", { shared: true }),
    ];
    const planned = plan({ images: [image("a")], buildCache });
    expect(ids(planned)).toEqual(["old", "leaf", "root", "a"]);
    expect(keptBy(planned)).toEqual({
      busy: "inUse",
      underBusy: "neededByKept",
      young: "minAge",
      shared: "neededByKept",
    });
  });
});

describe("containers", () => {
  const images = [image("a", { sizeBytes: 100 })];
  const ended = container("ended", { imageId: "sha256:a", writableBytes: 7 });

  it("stay under every policy but aggressive", () => {
    for (const name of ["conservative", "standard"] as const) {
      const planned = plan({ images, containers: [ended], policy: { name } });
      expect(ids(planned)).toEqual([]);
      expect(keptBy(planned)).toEqual({ ended: "policy", a: "inUse" });
    }
  });

  it("go before the images that only they hold, under aggressive", () => {
    const planned = plan({ images, containers: [ended], policy: { name: "aggressive" } });
    expect(ids(planned)).toEqual(["ended", "a"]);
    expect(planned.expectedBytes).toBe(107);
    const empty = { ...ended, writableBytes: 0 };
    expect(ids(plan({ images, containers: [empty], policy: { name: "aggressive" }, wantBytes: 50 }))).toEqual(
      ["ended", "a"],
    );
  });

  it.each([
    ["running", { state: "running", finishedAtMs: null }, "inUse"],
    ["paused", { state: "paused" }, "inUse"],
    ["of an unknown state", { state: "" }, "unknown"],
    ["that just ended", { finishedAtMs: NOW - 1 }, "minAge"],
    ["that ended nobody knows when", { finishedAtMs: null }, "unknown"],
    ["with the label", { labels: { keep: "true" } }, "keepLabel"],
  ])("one %s stays, with its image", (_what, given, rule) => {
    const planned = plan({ images, containers: [{ ...ended, ...given }], policy: { name: "aggressive" } });
    expect(ids(planned)).toEqual([]);
    expect(keptBy(planned)).toEqual({ ended: rule, a: "inUse" });
  });

  it("go only where what they free or hold is needed", () => {
    const small = container("small", { imageId: "sha256:x", writableBytes: 3, finishedAtMs: NOW - 9 * DAY });
    const big = container("big", { imageId: "sha256:x", writableBytes: 50 });
    const policy = { name: "aggressive" } as const;
    // The longest ended comes first, and isn't needed beside the other.
    expect(ids(plan({ containers: [small, big], policy, wantBytes: 40 }))).toEqual(["big"]);
    const two = [image("a", { sizeBytes: 100 }), image("b", { sizeBytes: 200 })];
    const holding = ["a", "b"].map((id) => container(`of ${id}`, { imageId: `sha256:${id}` }));
    expect(ids(plan({ images: two, containers: holding, policy, wantBytes: 150 }))).toEqual(["of b", "b"]);
  });

  it("that free nothing and hold nothing that goes are left alone", () => {
    const idle = container("idle", { imageId: "sha256:gone" });
    expect(ids(plan({ images, containers: [idle], policy: { name: "aggressive" } }))).toEqual(["a"]);
  });
});

it("plans 10,000 images, a part or all of them", () => {
  const images = Array.from({ length: 10_000 }, (_, i) =>
    image(`${i}`, {
      layers: [`base ${i % 50}`, `mid ${i % 500}`, `own ${i}`],
      layerBytes: [1_000, 500, 10 + (i % 7)],
      sizeBytes: 1_510 + (i % 7),
    }),
  );
  expect(plan({ images, wantBytes: 100_000 }).expectedBytes).toBeGreaterThanOrEqual(100_000);
  expect(plan({ images }).entries).toHaveLength(10_000);
});
