import { PoolError } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import type { DockerUndoOutcome } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { silentLog } from "../docker-log.js";
import { type LedgerEntry, MemoryLedger } from "../journal/eviction-ledger.js";
import type { DockerMeasurement } from "../probe/docker-measurement.js";
import { EvictionRecord } from "./eviction-record.js";
import type { RestoringEngine } from "./restore-image.js";
import { toLostEntries } from "./lost-entries.js";
import { undoEviction } from "./undo-eviction.js";

const line = (id: string, given: Partial<LedgerEntry> = {}): LedgerEntry => ({
  sequence: 1,
  atMs: 1,
  evictionId: "e",
  planId: null,
  cause: "pressure",
  policy: "standard",
  kind: "image",
  id,
  name: `${id}:1`,
  references: [`${id}:1`],
  digests: [`r/${id}@sha256:d`],
  rule: "unusedImage",
  reason: "nobody uses it",
  outcome: "deleted",
  detail: null,
  claimedBytes: 40,
  measuredBytes: 40,
  restoreReference: `r/${id}@sha256:d`,
  ...given,
});

/** A registry that has everything, and a disk of 100 bytes. */
async function undo(lost: readonly LedgerEntry[], usedBytes = 10, fail: PoolError | null = null) {
  const here = new Map<string, string>();
  const engine: RestoringEngine = {
    imageInspect: (name) => {
      const Id = here.get(name) ?? [...here.values()].find((id) => id === name);
      return Id === undefined ? Promise.reject(new PoolError("notFound", name)) : Promise.resolve({ Id });
    },
    imagePull: ({ reference }) => {
      if (fail !== null) return Promise.reject(fail);
      here.set(reference, /^r\/(.*)@/u.exec(reference)?.[1] ?? "");
      return Promise.resolve();
    },
    tag: (id, reference) => {
      here.set(reference, id);
      return Promise.resolve();
    },
  };
  const measurement: DockerMeasurement = {
    kind: "detected",
    source: "engineRoot",
    atMs: 0,
    path: "/",
    allocatedBytes: 100,
    usedBytes,
    capacityBytes: 100,
    inodes: null,
    shrinks: true,
    stale: false,
  };
  const ledger = new MemoryLedger();
  const clock = new ManualClock(5);
  const identity = { evictionId: "u", planId: null, cause: "undo", policy: "none" } as const;
  const outcomes: DockerUndoOutcome[] = [];
  await undoEviction(
    {
      engine,
      measure: () => Promise.resolve(measurement),
      clock,
      record: new EvictionRecord(identity, ledger, silentLog, () => clock.nowMs()),
      onOutcome: (outcome) => {
        outcomes.push(outcome);
      },
    },
    lost,
    new AbortController().signal,
  );
  return { outcomes, here, lines: ledger.page({ limit: 100 }) };
}

describe("undoEviction", () => {
  it("brings an image back by digest, tags it as before, and writes that down", async () => {
    const { outcomes, here, lines } = await undo([line("a")]);
    expect(outcomes).toEqual([
      {
        kind: "image",
        id: "a",
        name: "a:1",
        outcome: "restored",
        reference: "r/a@sha256:d",
        references: ["a:1"],
        detail: null,
      },
    ]);
    expect(here.get("a:1")).toBe("a");
    expect(lines).toMatchObject([{ evictionId: "u", cause: "undo", outcome: "restored", id: "a" }]);
  });

  it("says what can't be had back, and why", async () => {
    const { outcomes, lines } = await undo([
      line("local", { restoreReference: null }),
      line("cache", { kind: "buildCache" }),
      line("box", { kind: "container" }),
    ]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["impossible", "impossible", "impossible"]);
    expect(outcomes.map(({ detail }) => detail)).toEqual([
      expect.stringContaining("no registry"),
      expect.stringContaining("next build"),
      expect.stringContaining("writable layer"),
    ]);
    expect(lines).toEqual([]);
  });

  it("doesn't fill the disk again, and says why", async () => {
    // 95 % may be used: 40 bytes fit beside 55, and not beside 56.
    expect((await undo([line("a")], 55)).outcomes[0]?.outcome).toBe("restored");
    const { outcomes, lines } = await undo([line("a")], 56);
    expect(outcomes[0]).toMatchObject({
      outcome: "failed",
      detail: expect.stringContaining("95 %") as string,
    });
    expect(lines).toMatchObject([{ outcome: "failed" }]);
  });

  it("goes on after one that the registry doesn't give", async () => {
    const { outcomes } = await undo([line("a"), line("b")], 10, new PoolError("denied", "unauthorized"));
    expect(outcomes.map(({ outcome, detail }) => [outcome, detail])).toEqual([
      ["failed", "unauthorized"],
      ["failed", "unauthorized"],
    ]);
  });
});

describe("toLostEntries", () => {
  it("is what was deleted, or may have been: the last word on each counts", () => {
    const lines = [
      line("deleted", { sequence: 1, outcome: "intended" }),
      line("kept", { sequence: 2, outcome: "intended" }),
      line("crashed", { sequence: 3, outcome: "intended" }),
      line("kept", { sequence: 4, outcome: "kept" }),
      line("deleted", { sequence: 5 }),
    ];
    expect(
      toLostEntries([...lines].reverse())
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["crashed", "deleted"]);
  });
});
