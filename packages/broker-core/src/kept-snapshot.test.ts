import { describe, expect, it } from "vitest";
import { KeptSnapshot, type SnapshotSlot } from "./kept-snapshot.js";
import { FakePool } from "./testing/fake-pool.js";

const slot = (name: string): { -readonly [K in keyof SnapshotSlot]: SnapshotSlot[K] } => ({
  pool: new FakePool(name, { usedBytes: 1, capacityBytes: 2 }),
  reading: null,
  revision: 0,
});

describe("KeptSnapshot", () => {
  it("holds until a pool was read, comes or goes, or something was freed", () => {
    const counters = { evictionsFired: 1, bytesFreedTotal: 2 };
    const [a, b] = [slot("a"), slot("b")];
    const kept = new KeptSnapshot([a, b], counters);
    expect(kept.snapshot).toMatchObject({ evictionsFired: 1, pools: [{ name: "a" }, { name: "b" }] });
    expect(Object.isFrozen(kept.snapshot)).toBe(true);
    expect(kept.isOf([a, b], counters)).toBe(true);
    expect(kept.isOf([a], counters)).toBe(false);
    expect(kept.isOf([a, b, slot("c")], counters)).toBe(false);
    expect(kept.isOf([a, slot("b")], counters)).toBe(false);
    expect(kept.isOf([a, b], { ...counters })).toBe(false);
    b.revision += 1;
    expect(kept.isOf([a, b], counters)).toBe(false);
  });
});
