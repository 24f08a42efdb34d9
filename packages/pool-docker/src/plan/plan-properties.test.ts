import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ImageUse } from "../journal/image-use.js";
import type { InventoryImage } from "./docker-inventory.js";
import type { EvictionPlan, PlanEntry } from "./eviction-plan.js";
import { EVICTION_POLICY_NAMES } from "./eviction-policy.js";
import { ALL, type Asked, container, DAY, image, NOW, plan, record, used } from "../testing/plan-fixtures.js";

const STATES = ["running", "exited", "exited", "created", "paused", ""];

/** A whole engine: images over a small forest of layers, containers, build cache, and what speaks against each. */
const worlds = fc
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
        parent: fc.option(fc.nat({ max: 11 })),
      }),
      { maxLength: 12 },
    ),
    containers: fc.array(
      fc.record({
        of: fc.nat({ max: 11 }),
        state: fc.constantFrom(...STATES),
        writable: fc.option(fc.nat({ max: 40 })),
        endedDays: fc.nat({ max: 9 }),
      }),
      { maxLength: 4 },
    ),
    records: fc.array(
      fc.record({
        bytes: fc.nat({ max: 40 }),
        parents: fc.array(fc.nat({ max: 7 }), { maxLength: 2 }),
        usedDays: fc.nat({ max: 9 }),
        state: fc.nat({ max: 7 }),
      }),
      { maxLength: 8 },
    ),
    policy: fc.record({
      name: fc.constantFrom(...EVICTION_POLICY_NAMES),
      keepNewestPerRepository: fc.nat({ max: 1 }),
      minIdleMs: fc.constantFrom(0, 2 * DAY),
    }),
    wantBytes: fc.oneof(fc.nat({ max: 400 }), fc.constant(ALL)),
  })
  .map(({ layers, images: given, containers: ran, records, policy, wantBytes }) => {
    const uses: Record<string, ImageUse> = {};
    const realBytes = new Map<string, number>();
    // A layer's size follows from its place: the same chain has the same size everywhere.
    const bytesAt = (path: readonly number[]): number =>
      layers[path.reduce((sum, step) => (sum * 3 + step + 1) % layers.length, 0)] ?? 0;
    const images = given.map(({ path, knows, tagged, pulled, label, ageDays, usedDays, parent }, i) => {
      const names = path.map((step, depth) => `${depth}:${step}`);
      const layerBytes = path.map((_step, depth) => bytesAt(path.slice(0, depth + 1)));
      layerBytes.forEach((bytes, depth) => realBytes.set(names.slice(0, depth + 1).join(" "), bytes));
      if (usedDays !== null) uses[`i${i}`] = used(NOW - usedDays * DAY);
      const below = parent !== null && parent < i ? given[parent]?.path : undefined;
      const isParent =
        below !== undefined && below.length <= path.length && below.every((step, at) => step === path[at]);
      return image(`i${i}`, {
        parentId: isParent ? `sha256:i${parent}` : "",
        layers: names,
        layerBytes: knows ? layerBytes : null,
        sizeBytes: layerBytes.reduce((sum, each) => sum + each, 0),
        tags: tagged ? [`r${i % 3}:${i}`] : [],
        digests: pulled ? [`r${i % 3}@sha256:${i}`] : [],
        labels: label === 0 ? { keep: "true" } : {},
        arrivedAtMs: NOW - ageDays * DAY,
        createdAtMs: NOW - (ageDays + 1) * DAY,
      });
    });
    const containers = ran.map(({ of, state, writable, endedDays }, i) =>
      container(`c${i}`, {
        imageId: `sha256:i${of}`,
        state,
        writableBytes: writable,
        finishedAtMs: NOW - endedDays * DAY,
      }),
    );
    const buildCache = records.map(({ bytes, parents, usedDays, state }, i) =>
      record(`b${i}`, {
        sizeBytes: bytes,
        parentIds: parents.filter((at) => at < i).map((at) => `b${at}`),
        lastUsedAtMs: NOW - usedDays * DAY,
        inUse: state === 0,
        shared: state === 1,
      }),
    );
    return { images, containers, buildCache, uses, policy, wantBytes, realBytes };
  });

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** The same with all layers known. */
const knownWorlds = worlds.map((world) => ({
  ...world,
  images: world.images.map((each) => ({
    ...each,
    layerBytes: each.layers.map((_l, i) => world.realBytes.get(chainAt(each, i)) ?? 0),
  })),
}));

function chainAt({ layers }: InventoryImage, i: number): string {
  return layers.slice(0, i + 1).join(" ");
}

/** Bytes on the disk once some entries are gone: each chain of layers that is held, counted once. */
function bytesWithout(
  { images, containers, buildCache, realBytes }: World,
  gone: readonly PlanEntry[],
): number {
  const ids = new Set(gone.map(({ id }) => id));
  const chains = new Set(
    // Steps that nothing names and nothing uses go with what was built on them.
    images
      .filter((each) => !ids.has(each.id) && !isStep(each, images, containers))
      .flatMap((each) => each.layers.map((_l, i) => chainAt(each, i))),
  );
  const layers = [...chains].reduce((sum, chain) => sum + (realBytes.get(chain) ?? 0), 0);
  const written = containers
    .filter(({ id }) => !ids.has(id))
    .reduce((sum, c) => sum + (c.writableBytes ?? 0), 0);
  return (
    layers + written + buildCache.filter(({ id }) => !ids.has(id)).reduce((sum, b) => sum + b.sizeBytes, 0)
  );
}

function isStep(
  each: InventoryImage,
  images: readonly InventoryImage[],
  containers: World["containers"],
): boolean {
  return (
    each.tags.length + each.digests.length === 0 &&
    images.some(({ parentId }) => parentId === each.id) &&
    !containers.some(({ imageId }) => imageId === each.id)
  );
}

/** What must be gone before an entry can go. */
function needsGone(entry: PlanEntry, { images, containers, buildCache }: World): readonly string[] {
  if (entry.kind === "container") return [];
  if (entry.kind === "buildCache") {
    return buildCache.filter(({ parentIds }) => parentIds.includes(entry.id)).map(({ id }) => id);
  }
  const built = images.filter((each) => each.parentId === entry.id && !isStep(each, images, containers));
  return [
    ...built.map(({ id }) => id),
    ...containers.filter(({ imageId }) => imageId === entry.id).map(({ id }) => id),
  ];
}

function check(run: (world: World) => void, given: fc.Arbitrary<World> = worlds): void {
  fc.assert(fc.property(given, run), { numRuns: 1_000 });
}

describe("for all engines", () => {
  it("nothing that must stay goes, under any policy", () => {
    check((world) => {
      const going = new Set(plan(world).entries.map(({ id }) => id));
      const { policy } = world;
      const ended = (c: World["containers"][number]): boolean =>
        ["exited", "created"].includes(c.state) && NOW - (c.finishedAtMs ?? NOW) >= DAY;
      for (const each of world.containers) {
        if (policy.name !== "aggressive" || !ended(each)) expect(going).not.toContain(each.id);
        // What a container uses goes only if the container goes as well.
        if (!going.has(each.id)) expect(going).not.toContain(each.imageId);
      }
      for (const each of world.images) {
        const usedAtMs = world.uses[each.id.replace("sha256:", "")]?.lastUsedAtMs ?? each.arrivedAtMs ?? NOW;
        const mustStay =
          each.labels["keep"] === "true" ||
          NOW - (each.arrivedAtMs ?? NOW) < DAY ||
          NOW - usedAtMs < policy.minIdleMs ||
          (policy.name === "conservative" && each.digests.length === 0);
        if (mustStay) expect(going).not.toContain(each.id);
      }
      for (const each of world.buildCache) {
        if (each.inUse || each.shared || NOW - (each.lastUsedAtMs ?? NOW) < DAY)
          expect(going).not.toContain(each.id);
      }
    });
  });

  it("everything goes, could go, or stays for a reason, each once; steps of builds aside", () => {
    check((world) => {
      const { entries, protectedEntries, expectedBytes } = plan(world);
      const going = entries.map(({ id }) => id);
      const kept = protectedEntries.map(({ id }) => id);
      expect(new Set([...going, ...kept]).size).toBe(going.length + kept.length);
      expect(entries.map(({ position }) => position)).toEqual(entries.map((_entry, i) => i));
      expect(expectedBytes).toBe(entries.reduce((sum, entry) => sum + entry.expectedBytes, 0));
      const most = new Set(plan({ ...world, wantBytes: ALL }).entries.map(({ id }) => id));
      for (const each of world.images) {
        if (isStep(each, world.images, world.containers)) continue;
        expect([each.id, Number(most.has(each.id)) + Number(kept.includes(each.id))]).toEqual([each.id, 1]);
      }
    });
  });

  it("is the same in whatever order the inventory comes", () => {
    const shuffled = <T>(given: readonly T[], seed: number): T[] =>
      given
        .map((each, i) => ({ each, key: Math.sin(seed + i * 7.3) }))
        .sort((a, b) => a.key - b.key)
        .map(({ each }) => each);
    fc.assert(
      fc.property(worlds, fc.nat(), (world, seed) => {
        const other: Asked = {
          ...world,
          images: shuffled(world.images, seed),
          containers: shuffled(world.containers, seed + 1),
          buildCache: shuffled(world.buildCache, seed + 2),
        };
        expect(plan(other)).toEqual(plan(world));
      }),
      { numRuns: 1_000 },
    );
  });

  it("takes away first what would stand in the way", () => {
    check((world) => {
      const place = new Map(plan(world).entries.map(({ id, position }) => [id, position]));
      for (const entry of plan(world).entries) {
        for (const id of needsGone(entry, world)) {
          expect([entry.id, id, (place.get(id) ?? Infinity) < entry.position]).toEqual([entry.id, id, true]);
        }
      }
    });
  });

  it("promises for every beginning of the plan exactly what goes with it, where layers are known", () => {
    check((world) => {
      let before = bytesWithout(world, []);
      const { entries } = plan(world);
      entries.forEach(({ expectedBytes }, i) => {
        const after = bytesWithout(world, entries.slice(0, i + 1));
        expect(expectedBytes).toBe(before - after);
        before = after;
      });
    }, knownWorlds);
  });

  it("promises for every beginning of the plan no more than goes with it, whatever is known", () => {
    check((world) => {
      const { entries } = plan(world);
      let promised = 0;
      entries.forEach(({ expectedBytes }, i) => {
        promised += expectedBytes;
        const freed = bytesWithout(world, []) - bytesWithout(world, entries.slice(0, i + 1));
        expect(promised).toBeLessThanOrEqual(freed);
      });
    });
  });

  it("frees what is wanted if all that may go would, and says what is left to have", () => {
    check((world) => {
      const planned: EvictionPlan = plan(world);
      const most = plan({ ...world, wantBytes: ALL });
      expect(planned.expectedBytes).toBeGreaterThanOrEqual(Math.min(world.wantBytes, most.expectedBytes));
      expect(planned.spareBytes + planned.expectedBytes).toBe(most.expectedBytes);
      expect(most.spareBytes).toBe(0);
    });
  });

  it("has no entry, of whatever kind, without which the rest would free what is wanted", () => {
    check((world) => {
      const { entries, expectedBytes } = plan(world);
      if (expectedBytes < world.wantBytes) return;
      const all = bytesWithout(world, []);
      for (const entry of entries) {
        const rest = entries.filter((each) => each !== entry);
        // It can't be left out alone if another entry needs it gone.
        if (rest.some((each) => needsGone(each, world).includes(entry.id))) continue;
        expect([entry.id, all - bytesWithout(world, rest) < world.wantBytes]).toEqual([entry.id, true]);
      }
    }, knownWorlds);
  });
});
