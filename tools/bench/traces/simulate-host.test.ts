import { describe, expect, it } from "vitest";
import { otherPolicies, plannerPolicy } from "./cache-policies.js";
import { makeTraces, type TraceImage } from "./make-traces.js";
import { bytesOfTrace, simulateHost } from "./simulate-host.js";

const image = (id: string, ownBytes: number, base = "base"): TraceImage => ({
  id: `sha256:${id}`,
  repository: id,
  tag: "1",
  layers: [
    { id: base, bytes: 10 },
    { id: `own ${id}`, bytes: ownBytes },
  ],
  createdAtMs: 0,
});
const [a, b, c] = [image("a", 40), image("b", 30), image("c", 20)];
const uses = [a, b, c, a].map((each, i) => ({ atMs: i * 3_600_000, image: each }));
const [lru, , , everything] = otherPolicies();

describe("the simulated host", () => {
  it("fetches what isn't there, shared layers once, and what went again", () => {
    // Of 100 bytes: 50 with a, 80 with b; c makes 100, over 80: b's and a's go by LRU until 60 are left.
    expect(bytesOfTrace({ name: "t", uses })).toBe(100);
    if (lru === undefined || everything === undefined) throw new Error("no policies");
    expect(simulateHost({ name: "t", uses }, lru, 100)).toEqual({
      refetchedBytes: 40,
      firstBytes: 100,
      evictions: 2,
    });
    expect(simulateHost({ name: "t", uses }, everything, 100)).toMatchObject({
      refetchedBytes: 40,
      evictions: 1,
    });
    expect(simulateHost({ name: "t", uses }, lru, 1_000)).toMatchObject({ refetchedBytes: 0, evictions: 0 });
  });

  it("is the same for the same seed, and another for another", () => {
    const cost = (seed: number): number[] =>
      makeTraces(seed)
        .slice(1, 2)
        .map((trace) => simulateHost(trace, plannerPolicy(), 0.4 * bytesOfTrace(trace)).refetchedBytes);
    expect(cost(7)).toEqual(cost(7));
    expect(cost(7)).not.toEqual(cost(8));
  });
});
