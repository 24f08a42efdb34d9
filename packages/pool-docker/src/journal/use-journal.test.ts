import { PoolError } from "@continuum/broker-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flushed, HOUR, JournalFixture } from "../testing/journal-fixture.js";

describe("what the journal of uses counts and keeps", () => {
  let fixture: JournalFixture;
  let clock: JournalFixture["clock"];
  let engine: JournalFixture["engine"];
  beforeEach(async () => {
    fixture = await JournalFixture.start(["a", "b"]);
    ({ clock, engine } = fixture);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  it("says of the time before it that nobody watched", () => {
    const startMs = clock.nowMs();
    expect(fixture.journal.history().get("a")).toMatchObject({
      lastUsedAtMs: null,
      useCount: 0,
      unwatchedUntilMs: startMs,
    });
    expect(fixture.journal.status()).toMatchObject({
      watching: true,
      watchedSinceMs: startMs,
      gapCount: 0,
      imageCount: 2,
      problem: null,
    });
  });

  it("counts what containers do, whatever the user called the image", async () => {
    await clock.advance(HOUR);
    engine.containers_.set("c", { image: "a", startedAtMs: null, finishedAtMs: null });
    engine.emit("container", "create", "c", { image: "some words" });
    await flushed();
    await clock.advance(HOUR);
    engine.emit("container", "exec_start", "c", { image: "some words" });
    await flushed();
    expect(fixture.journal.history().get("a")).toMatchObject({ useCount: 2, lastUsedAtMs: clock.nowMs() });
    expect(fixture.journal.history().get("a")?.recentUsesMs).toHaveLength(2);
    expect(fixture.journal.history().get("b")?.useCount).toBe(0);
    expect(engine.inspects).toBe(1);
  });

  it("knows by its name what a container was that is gone before anybody could ask", async () => {
    engine.emit("container", "start", "gone", { image: "b:1" });
    await flushed();
    expect(fixture.journal.history().get("b")?.useCount).toBe(1);
  });

  it.each([
    ["pull", "a:1"],
    ["tag", "a"],
    ["load", "a"],
    ["import", "a"],
  ])("counts an image's %s", async (action, id) => {
    engine.emit("image", action, id);
    await flushed();
    expect(fixture.journal.history().get("a")?.useCount).toBe(1);
  });

  it("counts what a build was built on", async () => {
    engine.images_.set("child", { tags: ["child:1"], layers: ["l-a", "l-own"] });
    engine.emit("image", "tag", "child");
    await flushed();
    expect(fixture.journal.history().get("child")?.useCount).toBe(1);
    expect(fixture.journal.history().get("a")?.useCount).toBe(1);
    expect(fixture.journal.history().get("b")?.useCount).toBe(0);
  });

  it("counts nothing for what was there before, and is gone", async () => {
    engine.images_.delete("a");
    engine.emit("image", "delete", "a");
    engine.images_.set("child", { tags: ["child:1"], layers: ["l-a", "l-own"] });
    engine.emit("image", "tag", "child");
    await flushed();
    expect(fixture.journal.history().get("child")?.useCount).toBe(1);
    expect(fixture.journal.history().get("a")?.useCount).toBe(0);
  });

  it("bursts count once among the recent uses, and the last of them is the last use", async () => {
    for (let i = 0; i < 10; i++) {
      engine.emit("image", "tag", "a");
      await flushed();
      await clock.advance(1_000);
    }
    expect(fixture.journal.history().get("a")?.recentUsesMs).toHaveLength(1);
    expect(fixture.journal.history().get("a")?.lastUsedAtMs).toBe(clock.nowMs() - 1_000);
  });

  it("keeps what can't be written, and writes it later", async () => {
    const save = fixture.store.save.bind(fixture.store);
    let isFull = true;
    fixture.store.save = (...args) => {
      if (isFull) throw new PoolError("noSpace", "disk full");
      save(...args);
    };
    engine.emit("image", "tag", "a");
    await flushed();
    await clock.advance(1_000);
    expect(fixture.journal.status().problem).toBe("disk full");
    isFull = false;
    await clock.advance(5_000);
    expect(fixture.journal.status().problem).toBeNull();
    expect(fixture.store.load().uses.get("a")?.useCount).toBe(1);
  });

  it("writes within a second", async () => {
    await clock.advance(1_000);
    engine.emit("image", "tag", "a");
    await flushed();
    expect(fixture.store.load().uses.get("a")?.useCount).toBe(0);
    await clock.advance(1_000);
    expect(fixture.store.load().uses.get("a")?.useCount).toBe(1);
  });

  it("takes 20,000 images with a number of questions that doesn't grow with their square", async () => {
    for (let i = 0; i < 20_000; i++) engine.images_.set(`i${i}`, { tags: [], layers: [] });
    let asked = 0;
    engine.imageInspect = (name) => {
      asked++;
      return Promise.resolve({ Id: name });
    };
    await fixture.restart();
    for (let i = 0; i < 50 && asked < 20_002; i++) await flushed();
    expect(fixture.journal.history().size).toBe(20_002);
    engine.emit("image", "tag", "i7");
    await flushed();
    expect(fixture.journal.history().get("i7")?.useCount).toBe(1);
    expect(asked).toBeLessThan(20_100);
  });
});
