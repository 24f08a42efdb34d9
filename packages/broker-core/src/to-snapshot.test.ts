import { describe, expect, it } from "vitest";
import { toSnapshot } from "./to-snapshot.js";

describe("a snapshot", () => {
  it("has its fields in the contract's order, whatever order a pool counts in", () => {
    const counters = {
      inflightCount: 6,
      hitCount: 3,
      evictionCount: 5,
      missCount: 4,
      pinnedCount: 2,
      entryCount: 1,
    };
    const reading = {
      atMs: 1,
      detected: true,
      capacityBytes: 100,
      usedBytes: 50,
      pressure: 0.5,
      stale: false,
      counters,
    };
    const snapshot = toSnapshot(
      [
        { name: "read", reading },
        { name: "unread", reading: null },
      ],
      { evictionsFired: 7, bytesFreedTotal: 8 },
    );
    expect(JSON.stringify(snapshot)).toBe(
      '{"globalPressure":0.5,"globalTier":"normal","pools":[' +
        '{"name":"read","pressure":0.5,"tier":"normal","stats":{"name":"read","entryCount":1,"pinnedCount":2,' +
        '"totalBytes":50,"maxBytes":100,"pressure":0.5,"hitCount":3,"missCount":4,"evictionCount":5,"inflightCount":6}},' +
        '{"name":"unread","pressure":0,"tier":"normal","stats":{"name":"unread","entryCount":0,"pinnedCount":0,' +
        '"totalBytes":0,"maxBytes":0,"pressure":0,"hitCount":0,"missCount":0,"evictionCount":0,"inflightCount":0}}' +
        '],"evictionsFired":7,"bytesFreedTotal":8}',
    );
  });
});
