import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EngineDiskUsage, parseDiskUsage } from "../engine/disk-usage.js";
import { attributeUsage, type LogSizes } from "./attribute-usage.js";

function fixture(name: string): EngineDiskUsage {
  const path = new URL(`../engine/fixtures/${name}.json`, import.meta.url);
  return parseDiskUsage(JSON.parse(readFileSync(path, "utf8")), "engine");
}

const noLogs = (usage: EngineDiskUsage): LogSizes => new Map(usage.containers.map(({ id }) => [id, 0]));

const size = fc.nat(10_000);
const orUnknown = fc.option(size, { nil: null });
const text = fc.string({ minLength: 1, maxLength: 4 });
const buildRecord = fc.record({
  ID: text,
  Size: size,
  Shared: fc.boolean(),
  InUse: fc.boolean(),
  CreatedAt: fc.constant(null),
  LastUsedAt: fc.constant(null),
  Parents: fc.constant(null),
});
const anyUsage: fc.Arbitrary<EngineDiskUsage> = fc.record({
  layersBytes: orUnknown,
  images: fc.array(
    fc.record({
      id: text,
      tags: fc.array(text, { maxLength: 2 }),
      digests: fc.constant([]),
      sizeBytes: size,
      sharedBytes: orUnknown,
      containers: fc.option(fc.nat(3), { nil: null }),
      createdAtMs: fc.constant(null),
    }),
    { maxLength: 6 },
  ),
  containers: fc.array(
    fc.record({
      id: text,
      name: text,
      image: text,
      imageId: text,
      state: fc.constantFrom("running", "exited", ""),
      writableBytes: orUnknown,
      createdAtMs: fc.constant(null),
    }),
    { maxLength: 6 },
  ),
  volumes: fc.array(
    fc.record({ name: text, sizeBytes: orUnknown, refCount: fc.option(fc.nat(2), { nil: null }) }),
    {
      maxLength: 6,
    },
  ),
  buildCache: fc.option(fc.array(buildRecord, { maxLength: 6 }), { nil: null }),
});
const withLogs = anyUsage.chain((usage) =>
  fc
    .array(orUnknown, { minLength: usage.containers.length, maxLength: usage.containers.length })
    .map((bytes) => ({ usage, logs: new Map(usage.containers.map(({ id }, i) => [id, bytes[i] ?? null])) })),
);

describe("attributeUsage", () => {
  it("explains what an engine recorded, bytes that several things share only once", () => {
    const usage = fixture("recorded-1.41-system-df");
    const { categories, entries, accountedBytes, unexplainedBytes } = attributeUsage(
      usage,
      noLogs(usage),
      20_000_000,
    );
    expect(Object.fromEntries(categories.map(({ kind, bytes }) => [kind, bytes]))).toEqual({
      image: 4_366_824,
      // What is shared with images stands with them.
      buildCache: 4 * 999_424 + 94,
      volume: 100_000,
      container: 65_536,
      containerLog: 0,
    });
    expect(accountedBytes).toBe(4_366_824 + 4 * 999_424 + 94 + 100_000 + 65_536);
    expect(unexplainedBytes).toBe(20_000_000 - accountedBytes);
    expect(entries[0]).toMatchObject({
      kind: "image",
      name: "registry.example:5000/team/app:1, a/built:2",
      uniqueBytes: 98_304,
      inUse: false,
    });
    expect(entries.find(({ name }) => name === "a/run:1")).toMatchObject({ inUse: true, sharedBytes: 0 });
  });

  it("keeps to itself what nothing explains while anything is unknown", () => {
    const usage = fixture("documented-1.52-system-df");
    const { categories, unexplainedBytes, entries } = attributeUsage(usage, noLogs(usage), 1e9);
    expect(unexplainedBytes).toBeNull();
    expect(categories.map(({ kind, bytes, unknownCount }) => [kind, bytes, unknownCount])).toEqual([
      ["image", 95_000_000, 0],
      ["buildCache", 3_000_000, 0],
      ["volume", 12_000, 1],
      ["container", 4096, 1],
      ["containerLog", 0, 0],
    ]);
    expect(entries.filter(({ sizeBytes }) => sizeBytes === null).map(({ name }) => name)).toEqual([
      "unknown",
      "remote",
    ]);
    const known = { ...usage, containers: [], volumes: [] };
    expect(attributeUsage(known, new Map(), 1e9).unexplainedBytes).toBe(1e9 - 98_000_000);
    expect(attributeUsage(known, new Map(), null).unexplainedBytes).toBeNull();
    expect(attributeUsage({ ...known, buildCache: null }, new Map(), 1e9).unexplainedBytes).toBeNull();
    // Compression: more is accounted than the disk says is used.
    expect(attributeUsage(known, new Map(), 5).unexplainedBytes).toBe(0);
  });

  it("adds up images alone where the engine doesn't add up layers, and only what they share with none", () => {
    const usage = fixture("recorded-podman-4.3-system-df");
    expect(attributeUsage(usage, noLogs(usage), null).categories[0]).toEqual({
      kind: "image",
      count: 1,
      bytes: 11_331,
      unknownCount: 0,
    });
    const unsummed = { ...fixture("documented-1.52-system-df"), layersBytes: null };
    const [image] = attributeUsage(unsummed, new Map(), null).categories.filter(
      ({ kind }) => kind === "image",
    );
    expect(image).toEqual({ kind: "image", count: 2, bytes: null, unknownCount: 2 });
  });

  it("never counts what is unknown, has no negative figure, and its sums are those of its entries", () => {
    fc.assert(
      fc.property(withLogs, orUnknown, ({ usage, logs }, usedBytes) => {
        const { categories, entries, accountedBytes, unexplainedBytes } = attributeUsage(
          usage,
          logs,
          usedBytes,
        );
        for (const { sizeBytes, uniqueBytes, sharedBytes } of entries)
          for (const figure of [sizeBytes, uniqueBytes, sharedBytes])
            expect(figure ?? 0).toBeGreaterThanOrEqual(0);
        expect(accountedBytes).toBe(categories.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0));
        for (const { kind, bytes, unknownCount } of categories) {
          const own = entries.filter((entry) => entry.kind === kind);
          if (kind === "image") {
            if (usage.layersBytes !== null) expect(bytes).toBe(usage.layersBytes);
            else
              expect(bytes ?? 0).toBeLessThanOrEqual(
                own.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
              );
          } else {
            expect(bytes ?? 0).toBe(own.reduce((sum, { uniqueBytes }) => sum + (uniqueBytes ?? 0), 0));
            expect(unknownCount).toBe(own.filter(({ uniqueBytes }) => uniqueBytes === null).length);
          }
        }
        const isKnown =
          usedBytes !== null &&
          categories.every(({ bytes, unknownCount }) => bytes !== null && unknownCount === 0);
        expect(unexplainedBytes).toBe(isKnown ? Math.max(0, usedBytes - accountedBytes) : null);
      }),
    );
  });

  it("lists the largest first and the unknown last", () => {
    fc.assert(
      fc.property(withLogs, ({ usage, logs }) => {
        const { entries, categories } = attributeUsage(usage, logs, null);
        for (const figures of [
          entries.map(({ sizeBytes }) => sizeBytes),
          categories.map(({ bytes }) => bytes),
        ])
          expect(figures).toEqual([...figures].sort((a, b) => (b ?? -1) - (a ?? -1)));
      }),
    );
  });
});
