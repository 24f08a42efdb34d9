import fc from "fast-check";
import { expect, it } from "vitest";
import type { CacheEntry } from "./cache-entry.js";
import { chooseEntries } from "./choose-entries.js";

const NOW = 1_000;
const partSizes = new Map(["p0", "p1", "p2", "p3"].map((path, i) => [path, 10 * (i + 1)]));

const entries = fc
  .array(
    fc.record({
      bytes: fc.nat(50),
      lastUsedAtMs: fc.nat(1_100),
      parts: fc.uniqueArray(fc.constantFrom(...partSizes.keys())),
      isKept: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((list) =>
    list.map(({ bytes, lastUsedAtMs, parts, isKept }, i): CacheEntry => ({
      key: `e${i}`,
      kind: "revision",
      paths: [`e${i}`],
      parts: parts.map((path) => ({ path, bytes: partSizes.get(path) ?? 0, checksum: 0 })),
      missingParts: [],
      bytes,
      fileCount: 1,
      createdAtMs: 0,
      lastUsedAtMs,
      keepReason: isKept ? "pinned" : null,
      restore: null,
      checksum: 0,
    })),
  );

/** What is free once these are gone. */
function freedBy(gone: readonly CacheEntry[], all: readonly CacheEntry[]): number {
  const stays = new Set(
    all.filter((entry) => !gone.includes(entry)).flatMap(({ parts }) => parts.map(({ path }) => path)),
  );
  const parts = new Map(
    gone.flatMap((entry) => entry.parts.map(({ path, bytes }) => [path, bytes] as const)),
  );
  const shared = [...parts].filter(([path]) => !stays.has(path)).reduce((sum, [, bytes]) => sum + bytes, 0);
  return shared + gone.reduce((sum, { bytes }) => sum + bytes, 0);
}

it("frees what is wanted if it can, counts what is shared once, and takes nothing that isn't needed or allowed", () => {
  fc.assert(
    fc.property(entries, fc.nat(300), (all, wantBytes) => {
      const options = {
        wantBytes,
        nowMs: NOW,
        minAgeMs: 100,
        keptBy: (key: string) => (key === "e3" ? "e3" : null),
      };
      const { chosen, kept, expectedBytes } = chooseEntries(all, options);
      const gone = chosen.map(({ entry }) => entry);
      for (const { key, keepReason, lastUsedAtMs } of gone) {
        expect(keepReason).toBeNull();
        expect(key).not.toBe("e3");
        expect(NOW - lastUsedAtMs).toBeGreaterThanOrEqual(100);
      }
      expect(expectedBytes).toBe(freedBy(gone, all));
      expect(chosen.reduce((sum, each) => sum + each.expectedBytes, 0)).toBe(expectedBytes);
      const allowed = all.filter((entry) => !kept.some((each) => each.entry === entry));
      expect(expectedBytes).toBeGreaterThanOrEqual(Math.min(wantBytes, freedBy(allowed, all)));
      if (expectedBytes >= wantBytes) {
        for (const one of gone) {
          const without = gone.filter((entry) => entry !== one);
          expect(freedBy(without, all), `${one.key} isn't needed`).toBeLessThan(wantBytes);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
