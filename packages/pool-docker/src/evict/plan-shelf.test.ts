import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { PLAN_MAX_AGE_MS, PlanShelf } from "./plan-shelf.js";

const plan = {
  engineId: "E",
  policy: {
    name: "standard" as const,
    keepLabel: { key: "keep", value: null },
    keepReferences: [],
    keepNewestPerRepository: 0,
    minAgeMs: { image: 0, container: 0, buildCache: 0 },
    minIdleMs: 0,
  },
  plan: { wantBytes: 1, entries: [], expectedBytes: 0, spareBytes: 0, protectedEntries: [] },
};

describe("the shelf of plans", () => {
  it("gives a plan until it is taken, once", () => {
    const shelf = new PlanShelf(new ManualClock(1_000));
    const { planId, createdAtMs, expiresAtMs } = shelf.put(plan);
    expect([createdAtMs, expiresAtMs]).toEqual([1_000, 1_000 + PLAN_MAX_AGE_MS]);
    expect(shelf.get(planId).plan).toBe(plan.plan);
    shelf.take(planId);
    expect(() => shelf.get(planId)).toThrow(expect.objectContaining({ code: "planUnknown" }) as Error);
  });

  it("refuses a plan that is too old, and says how old it is", async () => {
    const clock = new ManualClock(1_000);
    const shelf = new PlanShelf(clock);
    const { planId } = shelf.put(plan);
    await clock.advance(PLAN_MAX_AGE_MS - 1);
    expect(shelf.get(planId).planId).toBe(planId);
    await clock.advance(1);
    const detail = { kind: "planExpired", planId, ageMs: PLAN_MAX_AGE_MS, maxAgeMs: PLAN_MAX_AGE_MS };
    expect(() => shelf.get(planId)).toThrow(expect.objectContaining({ detail }) as Error);
  });

  it("forgets the oldest for a new one", () => {
    const shelf = new PlanShelf(new ManualClock());
    const ids = Array.from({ length: 65 }, () => shelf.put(plan).planId);
    expect(() => shelf.get(ids[0] ?? "")).toThrow(expect.objectContaining({ code: "planUnknown" }) as Error);
    expect(shelf.get(ids[1] ?? "").planId).toBe(ids[1]);
    expect(new Set(ids).size).toBe(65);
  });

  it("forgets none that its owner made for those of guests, however many they make", () => {
    const shelf = new PlanShelf(new ManualClock());
    const { planId } = shelf.put(plan, "owner");
    const guests = Array.from({ length: 200 }, () => shelf.put(plan, "guest").planId);
    expect(shelf.get(planId).planId).toBe(planId);
    // One that a guest proposes is the owner's to apply, once.
    const proposed = guests.at(-1) ?? "";
    shelf.take(shelf.get(proposed).planId);
    expect(() => shelf.get(proposed)).toThrow(expect.objectContaining({ code: "planUnknown" }) as Error);
  });

  it("doesn't repeat a megabyte that it was asked for", () => {
    expect(() => new PlanShelf(new ManualClock()).get("x".repeat(1e6))).toThrow(/^.{1,400}$/u);
  });
});
