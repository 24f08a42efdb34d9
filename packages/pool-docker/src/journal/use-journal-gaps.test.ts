import { PoolError } from "@continuum/broker-core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flushed, HOUR, JournalFixture, START_MS } from "../testing/journal-fixture.js";

describe("what the journal of uses says of the time that it didn't see", () => {
  let fixture: JournalFixture;
  let clock: JournalFixture["clock"];
  let engine: JournalFixture["engine"];
  beforeEach(async () => {
    fixture = await JournalFixture.start(["a", "b"]);
    ({ clock, engine } = fixture);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  it("is the same after a restart, without a gap where the engine repeats all that was missed", async () => {
    engine.emit("image", "tag", "a");
    await flushed();
    const before = fixture.journal.history().get("a");
    await fixture.journal.close();
    await clock.advance(HOUR);
    engine.run("c", "b");
    await clock.advance(HOUR);
    await fixture.restart();
    expect(fixture.journal.history().get("a")).toEqual(before);
    expect(fixture.journal.history().get("b")).toMatchObject({
      useCount: 1,
      lastUsedAtMs: clock.nowMs() - HOUR,
    });
    expect(fixture.journal.status()).toMatchObject({ gapCount: 0, watchedSinceMs: START_MS });
  });

  it("says so where the engine can't repeat what was missed", async () => {
    engine.emit("image", "tag", "a");
    await flushed();
    await fixture.journal.close();
    await clock.advance(HOUR);
    for (let i = 0; i < 300; i++) engine.emit("image", "untag", "x");
    await fixture.restart();
    expect(fixture.journal.history().get("a")?.unwatchedUntilMs).toBe(clock.nowMs());
    expect(fixture.journal.status()).toMatchObject({ gapCount: 1, lastGapUntilMs: clock.nowMs() });
  });

  it.each(["the engine breaks off", "the core restarts"])(
    "still says so when %s before it has taken stock",
    async (what) => {
      engine.emit("image", "tag", "a");
      await flushed();
      engine.restart();
      const images = engine.images.bind(engine);
      engine.images = () => new Promise(() => undefined);
      await clock.advance(HOUR);
      await flushed();
      engine.emit("image", "tag", "a");
      await flushed();
      expect(fixture.journal.status().watching).toBe(false);
      engine.images = images;
      if (what === "the core restarts") await fixture.restart();
      else {
        engine.breakOff();
        await flushed();
        await clock.advance(60_000);
        await flushed();
      }
      expect(fixture.journal.status()).toMatchObject({ watching: true, gapCount: 1 });
      expect(fixture.journal.history().get("b")?.unwatchedUntilMs).toBeGreaterThan(START_MS);
      expect(fixture.journal.history().get("a")?.useCount).toBe(2);
    },
  );

  it("says so when an event can't be understood, once for a storm of them", async () => {
    engine.containerInspect = () => Promise.reject(new PoolError("failed", "500"));
    await clock.advance(HOUR);
    for (let i = 0; i < 20; i++) engine.emit("container", "start", `c${i}`, { image: "a:1" });
    await flushed();
    expect(fixture.journal.history().get("a")?.unwatchedUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    const first = fixture.journal.status();
    expect(first).toMatchObject({ watching: true, gapCount: 1 });
    expect(first.lastGapUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    expect(first.watchedSinceMs).toBe(first.lastGapUntilMs);
    await clock.advance(HOUR);
    engine.emit("container", "start", "late", { image: "a:1" });
    await flushed();
    expect(fixture.journal.history().get("b")?.unwatchedUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    expect(fixture.journal.status().gapCount).toBe(2);
    await fixture.restart();
    expect(fixture.journal.status().gapCount).toBe(2);
  });

  it("learns from containers when they ran while nobody watched", async () => {
    engine.emit("image", "tag", "a");
    await flushed();
    engine.restart();
    engine.containers_.set("c", {
      image: "b",
      startedAtMs: clock.nowMs() + HOUR,
      finishedAtMs: clock.nowMs() + 2 * HOUR,
    });
    await clock.advance(3 * HOUR);
    await flushed();
    expect(fixture.journal.history().get("b")).toMatchObject({
      lastUsedAtMs: clock.nowMs() - HOUR,
      useCount: 0,
    });
  });

  it("comes back after an engine that was away, less and less often", async () => {
    engine.isDown = true;
    engine.breakOff();
    await flushed();
    expect(fixture.journal.status()).toMatchObject({ watching: false, watchedSinceMs: null });
    expect(fixture.journal.status().problem).not.toBeNull();
    for (let i = 0; i < 12; i++) {
      await clock.advance(60_000);
      await flushed();
    }
    engine.isDown = false;
    await clock.advance(60_000);
    await flushed();
    expect(fixture.journal.status()).toMatchObject({ watching: true, problem: null });
  });

  it(
    "for all that may happen: no use is missed without being said, and none is made up",
    { timeout: 60_000 },
    async () => {
      const step = fc.oneof(
        fc.record({ do: fc.constant("run" as const), image: fc.nat({ max: 3 }), removed: fc.boolean() }),
        fc.record({ do: fc.constant("wait" as const), ms: fc.nat({ max: 3 * HOUR }) }),
        fc.constant({ do: "breakOff" as const }),
        fc.constant({ do: "engineRestart" as const }),
        fc.constant({ do: "down" as const }),
        fc.constant({ do: "up" as const }),
        fc.constant({ do: "coreRestart" as const }),
        fc.constant({ do: "noise" as const }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          await using fixture = await JournalFixture.start(["i0", "i1", "i2", "i3"]);
          const { clock, engine } = fixture;
          let n = 0;
          for (const each of steps) {
            if (each.do === "run") {
              const name = `c${n++}`;
              engine.run(name, `i${each.image}`);
              // Seen while it was there, unless nobody watched.
              await flushed();
              if (each.removed) engine.remove(name);
            } else if (each.do === "wait") await clock.advance(each.ms);
            else if (each.do === "breakOff") engine.breakOff();
            else if (each.do === "engineRestart") engine.restart();
            else if (each.do === "down") {
              engine.isDown = true;
              engine.breakOff();
            } else if (each.do === "up") engine.isDown = false;
            else if (each.do === "noise") for (let i = 0; i < 260; i++) engine.emit("image", "untag", "x");
            else await fixture.restart();
            await flushed();
          }
          engine.isDown = false;
          for (let i = 0; i < 3; i++) {
            await clock.advance(60_000);
            await flushed();
          }
          for (const [id, times] of engine.trueUses) {
            const use = fixture.journal.history().get(id);
            const knownMs = Math.max(use?.lastUsedAtMs ?? 0, use?.unwatchedUntilMs ?? 0);
            expect(knownMs).toBeGreaterThanOrEqual(times.at(-1) ?? 0);
            expect(use?.lastUsedAtMs ?? 0).toBeLessThanOrEqual(times.at(-1) ?? 0);
            expect(use?.useCount ?? 0).toBeLessThanOrEqual(times.length);
          }
        }),
        { numRuns: 60 },
      );
    },
  );
});
