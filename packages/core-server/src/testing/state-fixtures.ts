import { ManualClock } from "@continuum/broker-core/testing";
import type { ImageUse, JournalMarker, LedgerEntry } from "@continuum/pool-docker";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { type CoreState, openState } from "../state/open-state.js";
import { recordingLog } from "./recording-log.js";

/** A moment, in Unix milliseconds, from which the readings of a state with a past begin. */
export const START_MS = 1_700_000_000_000;
/** A page of the database, in bytes. */
export const PAGE = 4_096;

/** A journal's marker. */
export const marker: JournalMarker = {
  engineId: "E",
  lastEvent: { timeNano: "1700000000000000001", id: "c" },
  watchedSinceMs: 1,
  gapCount: 2,
  lastGapUntilMs: null,
};

/** What is known of an image that was used so often. */
export const use = (useCount: number): ImageUse => ({
  lastUsedAtMs: 5,
  useCount,
  recentUsesMs: [5, 1],
  firstSeenAtMs: 1,
  unwatchedUntilMs: null,
});

/** A line of the ledger. */
export const line = (id: string, evictionId = "e"): Omit<LedgerEntry, "sequence"> => ({
  atMs: 1,
  evictionId,
  planId: null,
  cause: "pressure",
  policy: "standard",
  kind: "image",
  id,
  name: `${id}:1`,
  references: [`${id}:1`],
  digests: [],
  rule: "unusedImage",
  reason: "nobody uses it",
  outcome: "deleted",
  detail: null,
  claimedBytes: 10,
  measuredBytes: -3,
  restoreReference: null,
});

/** Where syncing costs nothing, if there is such a place: the test run's directory in memory. */
export const fastTemporary = process.env["CONTINUUM_TEST_MEMORY_DIR"] ?? tmpdir();

/** A directory for each test of the file that calls this, removed behind it; gives its path. */
export function eachInDirectory(): () => string {
  let dir = "";
  beforeEach(() => {
    dir = mkdtempSync(join(fastTemporary, "continuum-state-"));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  return () => dir;
}

/** Opens the state of a directory, with a clock that stands and what it logs. */
export function open(directory: string) {
  const { log, entries } = recordingLog();
  const clock = new ManualClock();
  return { state: openState({ directory, log, clock }), entries, clock };
}

/** A state with a past: counters, an episode, uses, lines of the ledger, readings. */
export function fill(state: CoreState): void {
  state.load();
  state.save(
    new Map([
      ["a", use(1)],
      ["b", use(2)],
    ]),
    [],
    marker,
  );
  for (let i = 0; i < 300; i++) state.append(line(`line-${i}`));
  const readings = Array.from({ length: 500 }, (_, i) => ({
    pool: "docker",
    atMs: START_MS + i * 60_000,
    usedBytes: i,
    capacityBytes: 1_000,
    pressure: i / 1_000,
  }));
  state.write({
    documents: new Map<string, unknown>([
      ["broker/counters", { evictionsFired: 7 }],
      ["episodes/docker", { n: 1 }],
    ]),
    readings,
  });
  state.series({ pool: "docker", resolution: "raw", fromMs: 0, toMs: 1, limit: 1 });
}

/** It goes on as if nothing had been: what is written now is there later. */
export function expectToWork(state: CoreState, isDurable = true): void {
  expect(state.isDurable).toBe(isDurable);
  const at = START_MS + 1e9;
  const sequence = state.append(line("after"));
  expect(state.byImage("after").map((each) => each.sequence)).toContain(sequence);
  const reading = { pool: "later", atMs: at, usedBytes: 1, capacityBytes: 2, pressure: 0.5 };
  state.write({ documents: new Map([["test/after", 1]]), readings: [reading] });
  expect(state.documents("test")).toEqual(new Map([["after", 1]]));
  const query = { pool: "later", resolution: "minute", fromMs: 0, toMs: 2e12, limit: 9 } as const;
  expect(state.series(query)).toHaveLength(1);
  state.save(new Map([["c", use(3)]]), [], marker);
  expect(state.load().uses.get("c")).toEqual(use(3));
  state.maintain();
}
