import { PoolError } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../docker-log.js";
import { type EvictionLedger, MemoryLedger } from "../journal/eviction-ledger.js";
import type { PlanEntry } from "../plan/eviction-plan.js";
import type { DetectedMeasurement } from "../probe/docker-measurement.js";
import type { EntryOutcome } from "./entry-outcome.js";
import { EvictionRecord } from "./eviction-record.js";
import { executePlan, type ExecutionEnd, type PlanExecution } from "./execute-plan.js";
import { ReferenceWatch, type WatchedEvent } from "./reference-watch.js";
import { ReliefGoal } from "./relief-goal.js";

const base = { position: 0, reason: "nobody uses it", lastUsedAtMs: null, restoreReference: null };
const imageEntry = (n: number, expectedBytes = 100): PlanEntry => ({
  ...base,
  kind: "image",
  id: `sha256:${n}`,
  name: `app:${n}`,
  rule: "unusedImage",
  expectedBytes,
  image: {
    id: `sha256:${n}`,
    parentId: "",
    layers: [],
    layerBytes: [],
    tags: [`app:${n}`],
    digests: [],
    labels: {},
    sizeBytes: expectedBytes,
    createdAtMs: 1,
    taggedAtMs: 1,
    arrivedAtMs: 1,
    buildMs: null,
  },
});
const cacheEntry = (n: number, expectedBytes = 10): PlanEntry => ({
  ...base,
  kind: "buildCache",
  id: `cache${n}`,
  name: "RUN make",
  rule: "unusedBuildCache",
  expectedBytes,
  record: {
    id: `cache${n}`,
    parentIds: [],
    inUse: false,
    shared: false,
    sizeBytes: expectedBytes,
    createdAtMs: 1,
    lastUsedAtMs: 1,
    useCount: 1,
    description: "RUN make",
  },
});

/** A disk and an engine that lets go of what it is asked to, unless a test says otherwise. */
class Scene {
  usedBytes = 1_000;
  readonly clock = new ManualClock();
  readonly ledger: EvictionLedger = new MemoryLedger();
  readonly removed: string[][] = [];
  readonly restored: string[] = [];
  readonly outcomes: EntryOutcome[] = [];
  freedOf: (entry: PlanEntry) => number = ({ expectedBytes }) => expectedBytes;
  objection: (entry: PlanEntry) => string | null = () => null;
  lateObjection: (entry: PlanEntry) => string | null = () => null;
  /** Images without their names. */
  readonly hidden = new Set<string>();
  onRemove: (entries: readonly PlanEntry[]) => void = () => undefined;
  watch: Pick<ReferenceWatch, "touchedSince"> = { touchedSince: () => null };
  stopsOnLittleYield = false;
  /** Whether the engine can write nothing more, until something is deleted. */
  isFull = false;

  async run(
    entries: readonly PlanEntry[],
    wantBytes: number,
    signal = new AbortController().signal,
  ): Promise<ExecutionEnd> {
    const identity = { evictionId: "e", planId: null, cause: "pressure", policy: "standard" } as const;
    const execution: PlanExecution = {
      clock: this.clock,
      record: new EvictionRecord(identity, this.ledger, silentLog, () => this.clock.nowMs()),
      watch: this.watch,
      startedAtMs: 0,
      settleUsesMs: 0,
      acts: {
        recheck: (entry) => Promise.resolve(this.objection(entry)),
        quarantine: ({ id }) => {
          if (this.isFull) return Promise.reject(new PoolError("noSpace", "no space left on device"));
          this.hidden.add(id);
          return Promise.resolve();
        },
        recheckQuarantined: (entry) => Promise.resolve(this.lateObjection(entry)),
        release: ({ id }) => {
          this.hidden.delete(id);
          return Promise.resolve([]);
        },
        removeOnFullDisk: async (entry) => {
          await this.#remove([entry]);
        },
        removeImage: async (entry) => {
          await this.#remove([entry]);
        },
        remove: (batch) => this.#remove(batch),
      },
      restore: ({ id }) => {
        this.restored.push(id);
        return Promise.resolve({ outcome: "restored", reference: null, references: [], detail: null });
      },
      onOutcome: (outcome) => void this.outcomes.push(outcome),
      stopsOnLittleYield: this.stopsOnLittleYield,
    };
    const goal = await ReliefGoal.begin(
      { measure: () => Promise.resolve(this.#measurement()), clock: this.clock, settleMs: 0 },
      { wantBytes, wantInodes: 0 },
    );
    const running = executePlan(execution, entries, goal, signal);
    // Measurements that settle wait for the clock.
    running.catch(() => undefined);
    for (let i = 0; i < 50; i++) await this.clock.advance(1);
    return await running;
  }

  #remove(batch: readonly PlanEntry[]): Promise<ReadonlySet<string>> {
    this.onRemove(batch);
    this.removed.push(batch.map(({ id }) => id));
    this.isFull = false;
    for (const entry of batch) {
      this.usedBytes -= this.freedOf(entry);
      this.hidden.delete(entry.id);
    }
    return Promise.resolve(new Set(batch.map(({ id }) => id)));
  }

  /** What the ledger holds, oldest first. */
  lines(): string[] {
    return this.ledger
      .page({ limit: 1_000 })
      .map(
        ({ outcome, id, measuredBytes }) =>
          `${outcome} ${id}${measuredBytes === null ? "" : ` ${measuredBytes}`}`,
      )
      .reverse();
  }

  #measurement(): DetectedMeasurement {
    const { usedBytes } = this;
    const figures = { allocatedBytes: 2_000, capacityBytes: 2_000, usedBytes, inodes: null, shrinks: true };
    return { kind: "detected", source: "engineRoot", atMs: 0, path: "/", stale: false, ...figures };
  }
}

describe("executePlan", () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });

  it("deletes in order, measures after each, and stops as soon as the goal is reached", async () => {
    expect(await scene.run([imageEntry(1), imageEntry(2), imageEntry(3)], 150)).toBe("reached");
    expect(scene.removed).toEqual([["sha256:1"], ["sha256:2"]]);
    expect(scene.lines()).toEqual([
      "intended sha256:1",
      "intended sha256:2",
      "deleted sha256:1 100",
      "deleted sha256:2 100",
    ]);
  });

  it("gives back the names of images that aren't needed or turn out to be in use", async () => {
    scene.freedOf = () => 200;
    scene.lateObjection = ({ id }) => (id === "sha256:1" ? "a container uses it" : null);
    expect(await scene.run([imageEntry(1), imageEntry(2), imageEntry(3)], 250)).toBe("reached");
    expect(scene.removed).toEqual([["sha256:2"], ["sha256:3"]]);
    expect(scene.hidden).toEqual(new Set());
    const other = new Scene();
    other.freedOf = () => 300;
    await other.run([imageEntry(1), imageEntry(2), imageEntry(3)], 250);
    expect(other.removed).toEqual([["sha256:1"]]);
    expect(other.outcomes.map(({ detail }) => detail)).toEqual([
      null,
      "the target was reached before it",
      "the target was reached before it",
    ]);
    expect(other.hidden).toEqual(new Set());
  });

  it("goes by what was measured, not by what was expected", async () => {
    scene.freedOf = ({ id }) => (id === "sha256:1" ? 30 : 100);
    await scene.run([imageEntry(1), imageEntry(2), imageEntry(3)], 100);
    expect(scene.removed).toEqual([["sha256:1"], ["sha256:2"]]);
    expect(scene.outcomes.map(({ measuredBytes }) => measuredBytes)).toEqual([30, 100]);
  });

  it("leaves what something speaks against, without a word to the engine", async () => {
    scene.objection = ({ id }) => (id === "sha256:1" ? "a container uses it" : null);
    await scene.run([imageEntry(1), imageEntry(2)], 100);
    expect(scene.removed).toEqual([["sha256:2"]]);
    expect(scene.outcomes[0]).toMatchObject({ outcome: "kept", detail: "a container uses it" });
    expect(scene.lines()[0]).toBe("kept sha256:1");
  });

  it.each(["conflict", "notFound"] as const)("takes %s as a normal outcome", async (code) => {
    scene.onRemove = ([first]) => {
      if (first?.id === "sha256:1") throw new PoolError(code, "it says no");
    };
    expect(await scene.run([imageEntry(1), imageEntry(2)], 200)).toBe("done");
    expect(scene.outcomes.map(({ outcome }) => outcome)).toEqual(["kept", "deleted"]);
  });

  it("leaves an engine alone that fails again and again, and one that is away at once", async () => {
    scene.onRemove = () => {
      throw new PoolError("failed", "I/O error");
    };
    const entries = [1, 2, 3, 4, 5].map((n) => imageEntry(n));
    await expect(scene.run(entries, 1_000)).rejects.toMatchObject({ code: "failed" });
    expect(scene.outcomes.map(({ outcome }) => outcome)).toEqual([
      "failed",
      "failed",
      "failed",
      "kept",
      "kept",
    ]);
    expect(scene.hidden).toEqual(new Set());
    scene.outcomes.length = 0;
    scene.onRemove = () => {
      throw new PoolError("unreachable", "gone");
    };
    await expect(scene.run(entries, 1_000)).rejects.toMatchObject({ code: "unreachable" });
    expect(scene.outcomes.map(({ outcome }) => outcome)).toEqual(["failed", "kept", "kept", "kept", "kept"]);
    expect(scene.hidden).toEqual(new Set());
  });

  it("deletes records of build cache together, no more than are needed", async () => {
    const entries = Array.from({ length: 200 }, (_, n) => cacheEntry(n));
    expect(await scene.run(entries, 900)).toBe("reached");
    expect(scene.removed.map(({ length }) => length)).toEqual([64, 26]);
    expect(scene.outcomes.filter(({ measuredBytes }) => measuredBytes !== null)).toHaveLength(2);
    const sum = scene.outcomes.reduce((total, { measuredBytes }) => total + (measuredBytes ?? 0), 0);
    expect(sum).toBe(900);
  });

  it("begins nothing once it is aborted", async () => {
    const abort = new AbortController();
    scene.onRemove = () => {
      abort.abort();
    };
    expect(await scene.run([imageEntry(1), imageEntry(2)], 200, abort.signal)).toBe("aborted");
    expect(scene.removed).toEqual([["sha256:1"]]);
    // What was begun is measured and written down, and what wasn't gets its names back.
    expect(scene.lines().slice(-2)).toEqual(["deleted sha256:1 100", "kept sha256:2"]);
    expect(scene.hidden).toEqual(new Set());
  });

  it("gives up the rest where it is told to, when something frees less than half of what was expected", async () => {
    scene.stopsOnLittleYield = true;
    scene.freedOf = () => 10;
    expect(await scene.run([imageEntry(1), imageEntry(2)], 200)).toBe("littleYield");
    expect(scene.removed).toHaveLength(1);
  });

  it("leaves what came into use since the eviction began", async () => {
    scene.watch = { touchedSince: ({ id }) => (id === "sha256:1" ? "app:1" : null) };
    await scene.run([imageEntry(1), imageEntry(2)], 200);
    expect(scene.removed).toEqual([["sha256:2"]]);
    expect(scene.outcomes[0]?.detail).toBe("app:1 came into use while the eviction ran");
  });

  it("brings back what came into use while it was being deleted", async () => {
    const touched = new Set<string>();
    scene.onRemove = ([first]) => void touched.add(first?.id ?? "");
    scene.watch = { touchedSince: ({ id }) => (touched.has(id) ? "app:1" : null) };
    await scene.run([imageEntry(1)], 100);
    expect(scene.restored).toEqual(["sha256:1"]);
    expect(scene.lines()).toEqual(["intended sha256:1", "deleted sha256:1 100", "restored sha256:1"]);
  });

  it("deletes as it is what can't lose its names on a full disk, one, and goes on in order then", async () => {
    scene.isFull = true;
    expect(await scene.run([imageEntry(1), imageEntry(2)], 200)).toBe("reached");
    expect(scene.removed).toEqual([["sha256:1"], ["sha256:2"]]);
    expect(scene.outcomes.map(({ outcome }) => outcome)).toEqual(["deleted", "deleted"]);
  });

  it("brings back what came into use even when the engine goes away right then", async () => {
    const touched = new Set<string>();
    scene.onRemove = ([first]) => {
      touched.add(first?.id ?? "");
      if (first?.id === "sha256:2") throw new PoolError("unreachable", "gone");
    };
    scene.watch = { touchedSince: ({ id }) => (id === "sha256:1" && touched.has(id) ? "app:1" : null) };
    await expect(scene.run([imageEntry(1), imageEntry(2)], 200)).rejects.toMatchObject({
      code: "unreachable",
    });
    expect(scene.restored).toEqual(["sha256:1"]);
  });

  it("writes down what went even when the disk can't be measured any more", async () => {
    scene.onRemove = () => {
      scene.usedBytes = Number.NaN;
    };
    await scene.run([imageEntry(1)], 100).catch(() => null);
    expect(scene.lines()[1]).toMatch(/^deleted sha256:1/u);
  });

  it("goes on when the ledger can't be written", async () => {
    scene.ledger.append = () => {
      throw new PoolError("noSpace", "disk full");
    };
    expect(await scene.run([imageEntry(1)], 100)).toBe("reached");
    expect(scene.removed).toHaveLength(1);
  });
});

describe("the watch and the eviction together", () => {
  it("an event that comes after the deletion still counts", async () => {
    const scene = new Scene();
    let deliver: (event: WatchedEvent) => void = () => undefined;
    const first = new Promise<WatchedEvent>((resolve) => (deliver = resolve));
    const engine = {
      events: ({ signal }: { readonly signal: AbortSignal }) =>
        Promise.resolve(
          (async function* () {
            yield await first;
            await new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => reject(new PoolError("aborted", "over")), {
                once: true,
              });
            });
          })(),
        ),
    };
    scene.watch = await ReferenceWatch.begin(engine, scene.clock, silentLog);
    scene.onRemove = () => {
      deliver({ type: "image", action: "pull", id: "app:1", attributes: { name: "app" }, atMs: 0 });
    };
    await scene.run([imageEntry(1)], 100);
    expect(scene.restored).toEqual(["sha256:1"]);
    await (scene.watch as ReferenceWatch).close();
  });
});
