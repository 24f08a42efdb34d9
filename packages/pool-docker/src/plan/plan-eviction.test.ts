import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ImageUse } from "../journal/image-use.js";
import type { InventoryCacheRecord, InventoryContainer, InventoryImage } from "./docker-inventory.js";
import type { EvictionPlan } from "./eviction-plan.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import { planEviction } from "./plan-eviction.js";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const ALL = Number.MAX_SAFE_INTEGER;

const standard: EvictionPolicy = {
  name: "standard",
  keepLabel: { key: "keep", value: "true" },
  keepReferences: [],
  keepNewestPerRepository: 0,
  minAgeMs: { image: DAY, container: DAY, buildCache: DAY },
  minIdleMs: 0,
};

function image(id: string, given: Partial<InventoryImage> = {}): InventoryImage {
  const { sizeBytes = 10, layers = [`layer of ${id}`] } = given;
  return {
    id: `sha256:${id}`,
    parentId: "",
    layers,
    layerBytes: layers.length === 1 ? [sizeBytes] : null,
    tags: [`${id}:1`],
    digests: [],
    labels: {},
    sizeBytes,
    createdAtMs: NOW - 9 * DAY,
    taggedAtMs: null,
    arrivedAtMs: NOW - 9 * DAY,
    ...given,
  };
}
const container = (id: string, given: Partial<InventoryContainer> = {}): InventoryContainer => ({
  id,
  name: id,
  imageId: "",
  image: "",
  state: "exited",
  labels: {},
  createdAtMs: NOW - 9 * DAY,
  finishedAtMs: NOW - 8 * DAY,
  writableBytes: 0,
  ...given,
});
const record = (id: string, given: Partial<InventoryCacheRecord> = {}): InventoryCacheRecord => ({
  id,
  parentIds: [],
  inUse: false,
  shared: false,
  sizeBytes: 10,
  createdAtMs: NOW - 9 * DAY,
  lastUsedAtMs: NOW - 8 * DAY,
  useCount: 1,
  description: "",
  ...given,
});
const used = (lastUsedAtMs: number, more: readonly number[] = []): ImageUse => ({
  lastUsedAtMs,
  useCount: 1 + more.length,
  recentUsesMs: [lastUsedAtMs, ...more],
  firstSeenAtMs: NOW - 30 * DAY,
  unwatchedUntilMs: null,
  buildMs: null,
});

interface Asked {
  readonly images?: readonly InventoryImage[];
  readonly containers?: readonly InventoryContainer[];
  readonly buildCache?: readonly InventoryCacheRecord[];
  readonly policy?: Partial<EvictionPolicy>;
  readonly uses?: Readonly<Record<string, ImageUse>>;
  readonly wantBytes?: number;
  readonly digestsAreFromRegistries?: boolean;
  readonly exclude?: ReadonlySet<string>;
}
function plan(asked: Asked): EvictionPlan {
  const { images = [], containers = [], buildCache = [], digestsAreFromRegistries = true } = asked;
  const uses = new Map(Object.entries(asked.uses ?? {}).map(([id, use]) => [`sha256:${id}`, use]));
  const { wantBytes = ALL, exclude = new Set() } = asked;
  return planEviction(
    { images, containers, buildCache, digestsAreFromRegistries },
    uses,
    { ...standard, ...asked.policy },
    { wantBytes, nowMs: NOW, exclude },
  );
}
const ids = ({ entries }: EvictionPlan): string[] => entries.map(({ id }) => id.replace("sha256:", ""));
const keptBy = ({ protectedEntries }: EvictionPlan): Record<string, string> =>
  Object.fromEntries(protectedEntries.map(({ id, rule }) => [id.replace("sha256:", ""), rule]));

describe("what stays", () => {
  it.each([
    ["by its id", { imageId: "sha256:a" }],
    ["by its tag", { image: "a:1" }],
    ["by its repository alone", { image: "latest-one" }],
    ["by the beginning of its id", { image: "0123456789ab" }],
    ["by its digest", { image: "r/a@sha256:d" }],
  ])("an image of a container, running or not, %s", (_how, held) => {
    const hex = "0123456789ab".padEnd(64, "0");
    const images = [
      image("a", { digests: ["r/a@sha256:d"] }),
      image("b", { id: `sha256:${hex}`, tags: ["latest-one:latest"] }),
    ];
    const { protectedEntries } = plan({ images, containers: [container("c", held)] });
    expect(protectedEntries.some(({ rule }) => rule === "inUse")).toBe(true);
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
        lately: used(NOW - DAY / 10, [NOW - 2 * DAY]),
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

  it("that free nothing and hold nothing that goes are left alone", () => {
    const idle = container("idle", { imageId: "sha256:gone" });
    expect(ids(plan({ images, containers: [idle], policy: { name: "aggressive" } }))).toEqual(["a"]);
  });
});

/** Random images over a small forest of layers, with everything that may speak against their deletion. */
const inventories = fc
  .record({
    layers: fc.array(fc.nat({ max: 50 }), { minLength: 12, maxLength: 12 }),
    images: fc.array(
      fc.record({
        path: fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 4 }),
        knows: fc.boolean(),
        tagged: fc.boolean(),
        pulled: fc.boolean(),
        label: fc.nat({ max: 9 }),
        ageDays: fc.nat({ max: 9 }),
        usedDays: fc.option(fc.nat({ max: 9 })),
        parent: fc.option(fc.nat({ max: 9 })),
      }),
      { maxLength: 12 },
    ),
    held: fc.array(fc.nat({ max: 11 }), { maxLength: 2 }),
    wantBytes: fc.oneof(fc.nat({ max: 400 }), fc.constant(ALL)),
  })
  .map(({ layers, images: given, held, wantBytes }) => {
    const uses: Record<string, ImageUse> = {};
    // A layer's size follows from its place: the same chain has the same size everywhere.
    const bytesAt = (path: readonly number[]): number =>
      layers[path.reduce((sum, step) => (sum * 3 + step + 1) % layers.length, 0)] ?? 0;
    const images = given.map(({ path, knows, tagged, pulled, label, ageDays, usedDays }, i) => {
      const layerBytes = path.map((_step, depth) => bytesAt(path.slice(0, depth + 1)));
      if (usedDays !== null) uses[`i${i}`] = used(NOW - usedDays * DAY);
      return image(`i${i}`, {
        layers: path.map((step, depth) => `${depth}:${step}`),
        layerBytes: knows ? layerBytes : null,
        sizeBytes: layerBytes.reduce((sum, each) => sum + each, 0),
        tags: tagged ? [`r${i % 3}:${i}`] : [],
        digests: pulled ? [`r${i % 3}@sha256:${i}`] : [],
        labels: label === 0 ? { keep: "true" } : {},
        arrivedAtMs: NOW - ageDays * DAY,
        createdAtMs: NOW - (ageDays + 1) * DAY,
      });
    });
    const containers = held.flatMap((n) =>
      n < images.length ? [container(`c${n}`, { imageId: `sha256:i${n}` })] : [],
    );
    return { images, containers, uses, wantBytes };
  });

/** Bytes that a set of images takes up, layers that several hold counted once: by brute force. */
function bytesOf(images: readonly InventoryImage[], layerBytes: ReadonlyMap<string, number>): number {
  const chains = new Set<string>();
  for (const { layers } of images) layers.forEach((_l, i) => chains.add(layers.slice(0, i + 1).join(" ")));
  return [...chains].reduce((sum, chain) => sum + (layerBytes.get(chain) ?? 0), 0);
}

describe("for all inventories", () => {
  it("nothing that must stay goes, nothing twice, and every image is accounted for", () => {
    fc.assert(
      fc.property(inventories, (asked) => {
        const planned = plan(asked);
        const going = planned.entries.map(({ id }) => id);
        expect(new Set(going).size).toBe(going.length);
        const kept = new Set(
          planned.protectedEntries.filter(({ kind }) => kind === "image").map(({ id }) => id),
        );
        for (const { imageId } of asked.containers) expect(going).not.toContain(imageId);
        for (const each of asked.images) {
          if (each.labels["keep"] === "true" || NOW - (each.arrivedAtMs ?? 0) < DAY)
            expect(going).not.toContain(each.id);
          if (asked.wantBytes === ALL) expect(kept.has(each.id) || going.includes(each.id)).toBe(true);
          expect(kept.has(each.id) && going.includes(each.id)).toBe(false);
        }
        expect(planned.expectedBytes).toBe(
          planned.entries.reduce((sum, { expectedBytes }) => sum + expectedBytes, 0),
        );
      }),
      { numRuns: 400 },
    );
  });

  it("is the same in whatever order the inventory comes", () => {
    fc.assert(
      fc.property(inventories, fc.infiniteStream(fc.nat()), (asked, stream) => {
        const keys = new Map(asked.images.map((each) => [each, stream.next().value as number]));
        const shuffled = [...asked.images].sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0));
        expect(ids(plan({ ...asked, images: shuffled }))).toEqual(ids(plan(asked)));
      }),
      { numRuns: 300 },
    );
  });

  it("promises for every beginning of the plan what goes with it, where layers are known", () => {
    fc.assert(
      fc.property(inventories, (asked) => {
        const images = asked.images.map((each) => ({
          ...each,
          layerBytes: each.layerBytes ?? bytesFrom(each, asked.images),
        }));
        if (images.some(({ layerBytes }) => layerBytes === null)) return;
        const known = chainBytes(images as InventoryImage[]);
        const { entries } = plan({ ...asked, images: images as InventoryImage[] });
        let left = images as InventoryImage[];
        for (const { id, expectedBytes } of entries) {
          const next = left.filter((each) => each.id !== id);
          expect(expectedBytes).toBe(bytesOf(left, known) - bytesOf(next, known));
          left = next;
        }
      }),
      { numRuns: 400 },
    );
  });

  it("frees what is wanted if all that may go would, and no entry can be left out then", () => {
    fc.assert(
      fc.property(inventories, (asked) => {
        const planned = plan(asked);
        const most = plan({ ...asked, wantBytes: ALL });
        if (most.expectedBytes >= asked.wantBytes)
          expect(planned.expectedBytes).toBeGreaterThanOrEqual(asked.wantBytes);
        else expect(planned.expectedBytes).toBe(most.expectedBytes);
        expect(planned.spareBytes + planned.expectedBytes).toBe(most.expectedBytes);
        if (planned.expectedBytes < asked.wantBytes) return;
        for (const { id } of planned.entries) {
          const rest = plan({
            ...asked,
            wantBytes: ALL,
            exclude: new Set([
              ...asked.images
                .map((each) => each.id)
                .filter((each) => !planned.entries.some((entry) => entry.id === each)),
              id,
            ]),
          });
          expect(rest.expectedBytes).toBeLessThan(asked.wantBytes);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("plans 10,000 images quickly enough to be done at all", () => {
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
});

/** What each chain of layers takes up, from images that know. */
function chainBytes(images: readonly InventoryImage[]): ReadonlyMap<string, number> {
  const known = new Map<string, number>();
  for (const { layers, layerBytes } of images) {
    layers.forEach((_l, i) => known.set(layers.slice(0, i + 1).join(" "), layerBytes?.[i] ?? 0));
  }
  return known;
}

/** An image's layers from others that hold the same chains; null when one of them isn't known. */
function bytesFrom(each: InventoryImage, images: readonly InventoryImage[]): number[] | null {
  const known = chainBytes(images.filter(({ layerBytes }) => layerBytes !== null));
  const found = each.layers.map((_l, i) => known.get(each.layers.slice(0, i + 1).join(" ")));
  return found.every((bytes) => bytes !== undefined) ? found : null;
}
