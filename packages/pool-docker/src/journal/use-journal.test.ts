import { PoolError } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../docker-log.js";
import type { EngineEvent } from "../engine/engine-events.js";
import type { JournalEngine } from "./journal-engine.js";
import { UseJournal } from "./use-journal.js";
import { MemoryUseStore } from "./use-store.js";

const HOUR = 3_600_000;
const flushed = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** An engine with images and containers, which remembers its last 256 events and repeats them. */
class ScriptedEngine implements JournalEngine {
  readonly images_ = new Map<string, { tags: string[]; layers: string[] }>();
  readonly containers_ = new Map<
    string,
    { image: string; startedAtMs: number | null; finishedAtMs: number | null }
  >();
  /** True uses, by image: what the journal is held against. */
  readonly trueUses = new Map<string, number[]>();
  log: EngineEvent[] = [];
  inspects = 0;
  isDown = false;
  #listeners = new Set<{ push(event: EngineEvent): void; end(error: Error): void }>();
  #nano = 0n;

  constructor(private readonly clock: ManualClock) {}

  emit(
    type: "container" | "image",
    action: string,
    id: string,
    attributes: Record<string, string> = {},
  ): void {
    const atMs = this.clock.nowMs();
    this.#nano = BigInt(atMs) * 1_000_000n > this.#nano ? BigInt(atMs) * 1_000_000n : this.#nano + 1n;
    const event: EngineEvent = { type, action, id, attributes, atMs, timeNano: String(this.#nano) };
    this.log = [...this.log, event].slice(-256);
    for (const listener of this.#listeners) listener.push(event);
  }

  /** A use as the engine sees it, at this moment. */
  run(container: string, image: string): void {
    this.containers_.set(container, { image, startedAtMs: this.clock.nowMs(), finishedAtMs: null });
    this.trueUses.set(image, [...(this.trueUses.get(image) ?? []), this.clock.nowMs()]);
    this.emit("container", "start", container, { image });
  }

  remove(container: string): void {
    this.containers_.delete(container);
    this.emit("container", "destroy", container);
  }

  breakOff(): void {
    for (const listener of this.#listeners) listener.end(new PoolError("unreachable", "gone"));
  }

  /** As after a restart: what was remembered is gone. */
  restart(): void {
    this.breakOff();
    this.log = [];
  }

  events({
    sinceMs,
    signal,
  }: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncIterable<EngineEvent>> {
    if (this.isDown) return Promise.reject(new PoolError("unreachable", "down"));
    const queue: EngineEvent[] =
      sinceMs === null || sinceMs === undefined ? [] : this.log.filter(({ atMs }) => atMs >= sinceMs);
    const failures: Error[] = [];
    let wake: () => void = () => undefined;
    const listener = {
      push: (event: EngineEvent) => {
        queue.push(event);
        wake();
      },
      end: (error: Error) => {
        failures.push(error);
        wake();
      },
    };
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => listener.end(new PoolError("aborted", "over")), { once: true });
    const listeners = this.#listeners;
    return Promise.resolve(
      (async function* () {
        try {
          for (;;) {
            for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
            const [failure] = failures;
            if (failure !== undefined) throw failure;
            await new Promise<void>((resolve) => (wake = resolve));
          }
        } finally {
          listeners.delete(listener);
        }
      })(),
    );
  }

  containers(): Promise<{ Id: string; ImageID: string }[]> {
    return Promise.resolve([...this.containers_].map(([Id, { image }]) => ({ Id, ImageID: image })));
  }

  containerInspect(id: string): ReturnType<JournalEngine["containerInspect"]> {
    this.inspects++;
    const found = this.containers_.get(id);
    if (found === undefined) return Promise.reject(new PoolError("notFound", id));
    const { image, startedAtMs, finishedAtMs } = found;
    return Promise.resolve({ Image: image, State: { StartedAt: startedAtMs, FinishedAt: finishedAtMs } });
  }

  images(): Promise<{ Id: string }[]> {
    return Promise.resolve([...this.images_.keys()].map((Id) => ({ Id })));
  }

  imageInspect(name: string): ReturnType<JournalEngine["imageInspect"]> {
    const found = [...this.images_].find(([id, { tags }]) => id === name || tags.includes(name));
    if (found === undefined) return Promise.reject(new PoolError("notFound", name));
    return Promise.resolve({ Id: found[0], RootFS: { Layers: found[1].layers } });
  }
}

describe("the journal of uses", () => {
  let clock: ManualClock;
  let engine: ScriptedEngine;
  let store: MemoryUseStore;
  let journal: UseJournal;
  const open = (): UseJournal =>
    new UseJournal({
      locate: () => Promise.resolve(engine.isDown ? null : { id: "E", engine }),
      store,
      clock,
      log: silentLog,
      random: () => 0,
    });
  beforeEach(async () => {
    clock = new ManualClock(1_700_000_000_000);
    engine = new ScriptedEngine(clock);
    for (const id of ["a", "b"]) engine.images_.set(id, { tags: [`${id}:1`], layers: [`l-${id}`] });
    store = new MemoryUseStore();
    journal = open();
    journal.start();
    await flushed();
  });
  afterEach(() => journal.close());
  const restart = async (): Promise<void> => {
    await journal.close();
    journal = open();
    journal.start();
    await flushed();
  };

  it("says of the time before it that nobody watched", () => {
    const startMs = clock.nowMs();
    expect(journal.history().get("a")).toMatchObject({
      lastUsedAtMs: null,
      useCount: 0,
      unwatchedUntilMs: startMs,
    });
    expect(journal.status()).toMatchObject({
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
    expect(journal.history().get("a")).toMatchObject({ useCount: 2, lastUsedAtMs: clock.nowMs() });
    expect(journal.history().get("a")?.recentUsesMs).toHaveLength(2);
    expect(journal.history().get("b")?.useCount).toBe(0);
    expect(engine.inspects).toBe(1);
  });

  it("knows by its name what a container was that is gone before anybody could ask", async () => {
    engine.emit("container", "start", "gone", { image: "b:1" });
    await flushed();
    expect(journal.history().get("b")?.useCount).toBe(1);
  });

  it.each([
    ["pull", "a:1"],
    ["tag", "a"],
    ["load", "a"],
    ["import", "a"],
  ])("counts an image's %s", async (action, id) => {
    engine.emit("image", action, id);
    await flushed();
    expect(journal.history().get("a")?.useCount).toBe(1);
  });

  it("counts what a build was built on", async () => {
    engine.images_.set("child", { tags: ["child:1"], layers: ["l-a", "l-own"] });
    engine.emit("image", "tag", "child");
    await flushed();
    expect(journal.history().get("child")?.useCount).toBe(1);
    expect(journal.history().get("a")?.useCount).toBe(1);
    expect(journal.history().get("b")?.useCount).toBe(0);
  });

  it("counts nothing for what was there before, and is gone", async () => {
    engine.images_.delete("a");
    engine.emit("image", "delete", "a");
    engine.images_.set("child", { tags: ["child:1"], layers: ["l-a", "l-own"] });
    engine.emit("image", "tag", "child");
    await flushed();
    expect(journal.history().get("child")?.useCount).toBe(1);
    expect(journal.history().get("a")?.useCount).toBe(0);
  });

  it("bursts count once among the recent uses, and the last of them is the last use", async () => {
    for (let i = 0; i < 10; i++) {
      engine.emit("image", "tag", "a");
      await flushed();
      await clock.advance(1_000);
    }
    expect(journal.history().get("a")?.recentUsesMs).toHaveLength(1);
    expect(journal.history().get("a")?.lastUsedAtMs).toBe(clock.nowMs() - 1_000);
  });

  it("is the same after a restart, without a gap where the engine repeats all that was missed", async () => {
    engine.emit("image", "tag", "a");
    await flushed();
    const before = journal.history().get("a");
    await journal.close();
    await clock.advance(HOUR);
    engine.run("c", "b");
    await clock.advance(HOUR);
    await restart();
    expect(journal.history().get("a")).toEqual(before);
    expect(journal.history().get("b")).toMatchObject({ useCount: 1, lastUsedAtMs: clock.nowMs() - HOUR });
    expect(journal.status()).toMatchObject({ gapCount: 0, watchedSinceMs: 1_700_000_000_000 });
  });

  it("says so where the engine can't repeat what was missed", async () => {
    engine.emit("image", "tag", "a");
    await flushed();
    await journal.close();
    await clock.advance(HOUR);
    for (let i = 0; i < 300; i++) engine.emit("image", "untag", "x");
    await restart();
    expect(journal.history().get("a")?.unwatchedUntilMs).toBe(clock.nowMs());
    expect(journal.status()).toMatchObject({ gapCount: 1, lastGapUntilMs: clock.nowMs() });
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
      expect(journal.status().watching).toBe(false);
      engine.images = images;
      if (what === "the core restarts") await restart();
      else {
        engine.breakOff();
        await flushed();
        await clock.advance(60_000);
        await flushed();
      }
      expect(journal.status()).toMatchObject({ watching: true, gapCount: 1 });
      expect(journal.history().get("b")?.unwatchedUntilMs).toBeGreaterThan(1_700_000_000_000);
      expect(journal.history().get("a")?.useCount).toBe(2);
    },
  );

  it("says so when an event can't be understood, once for a storm of them", async () => {
    engine.containerInspect = () => Promise.reject(new PoolError("failed", "500"));
    await clock.advance(HOUR);
    for (let i = 0; i < 20; i++) engine.emit("container", "start", `c${i}`, { image: "a:1" });
    await flushed();
    expect(journal.history().get("a")?.unwatchedUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    const first = journal.status();
    expect(first).toMatchObject({ watching: true, gapCount: 1 });
    expect(first.lastGapUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    expect(first.watchedSinceMs).toBe(first.lastGapUntilMs);
    await clock.advance(HOUR);
    engine.emit("container", "start", "late", { image: "a:1" });
    await flushed();
    expect(journal.history().get("b")?.unwatchedUntilMs).toBeGreaterThanOrEqual(clock.nowMs());
    expect(journal.status().gapCount).toBe(2);
    await restart();
    expect(journal.status().gapCount).toBe(2);
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
    expect(journal.history().get("b")).toMatchObject({ lastUsedAtMs: clock.nowMs() - HOUR, useCount: 0 });
  });

  it("comes back after an engine that was away, less and less often", async () => {
    engine.isDown = true;
    engine.breakOff();
    await flushed();
    expect(journal.status()).toMatchObject({ watching: false, watchedSinceMs: null });
    expect(journal.status().problem).not.toBeNull();
    for (let i = 0; i < 12; i++) {
      await clock.advance(60_000);
      await flushed();
    }
    engine.isDown = false;
    await clock.advance(60_000);
    await flushed();
    expect(journal.status()).toMatchObject({ watching: true, problem: null });
  });

  it("keeps what can't be written, and writes it later", async () => {
    const save = store.save.bind(store);
    let isFull = true;
    store.save = (...args) => {
      if (isFull) throw new PoolError("noSpace", "disk full");
      save(...args);
    };
    engine.emit("image", "tag", "a");
    await flushed();
    await clock.advance(1_000);
    expect(journal.status().problem).toBe("disk full");
    isFull = false;
    await clock.advance(5_000);
    expect(journal.status().problem).toBeNull();
    expect(store.load().uses.get("a")?.useCount).toBe(1);
  });

  it("writes within a second", async () => {
    await clock.advance(1_000);
    engine.emit("image", "tag", "a");
    await flushed();
    expect(store.load().uses.get("a")?.useCount).toBe(0);
    await clock.advance(1_000);
    expect(store.load().uses.get("a")?.useCount).toBe(1);
  });

  it("takes 20,000 images with a number of questions that doesn't grow with their square", async () => {
    for (let i = 0; i < 20_000; i++) engine.images_.set(`i${i}`, { tags: [], layers: [] });
    let asked = 0;
    engine.imageInspect = (name) => {
      asked++;
      return Promise.resolve({ Id: name });
    };
    await restart();
    for (let i = 0; i < 50 && asked < 20_002; i++) await flushed();
    expect(journal.history().size).toBe(20_002);
    engine.emit("image", "tag", "i7");
    await flushed();
    expect(journal.history().get("i7")?.useCount).toBe(1);
    expect(asked).toBeLessThan(20_100);
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
          await journal.close();
          clock = new ManualClock(1_700_000_000_000);
          engine = new ScriptedEngine(clock);
          store = new MemoryUseStore();
          for (let i = 0; i < 4; i++) engine.images_.set(`i${i}`, { tags: [], layers: [] });
          journal = open();
          journal.start();
          await flushed();
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
            else await restart();
            await flushed();
          }
          engine.isDown = false;
          for (let i = 0; i < 3; i++) {
            await clock.advance(60_000);
            await flushed();
          }
          for (const [id, times] of engine.trueUses) {
            const use = journal.history().get(id);
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
