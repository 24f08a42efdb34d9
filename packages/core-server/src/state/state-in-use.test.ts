import { systemClock } from "@continuum/broker-core";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { eachInDirectory, line, marker, use } from "../testing/state-fixtures.js";
import { type CoreState, openState } from "./open-state.js";

const dir = eachInDirectory();
const log = pino({ level: "silent" });

function open(waitForLockMs = 0): CoreState {
  return openState({ directory: dir(), log, clock: systemClock, waitForLockMs });
}

const counters = (state: CoreState): unknown => state.documents("broker").get("counters");
const count = (state: CoreState, evictionsFired: number): void => {
  state.write({ documents: new Map([["broker/counters", { evictionsFired }]]), readings: [] });
};

describe("a state directory that a living core has", () => {
  it("is never written by a second one, also once the first has ended", () => {
    const first = open();
    count(first, 7);
    first.save(new Map([["image", use(3)]]), [], marker);
    first.append(line("of-the-first"));

    const second = open();
    expect(second.isDurable).toBe(false);
    expect(second.notes).toEqual([
      expect.stringMatching(/belongs to another core that runs.*directory is in use.*--state-dir/u),
    ]);
    expect(second.problem?.text).toMatch(/directory is in use/u);
    count(second, 1);
    second.save(new Map([["image", use(1)]]), [], { ...marker, gapCount: 0 });
    second.append(line("of-the-second"));
    second.maintain();
    expect(counters(second)).toEqual({ evictionsFired: 1 });

    first.close();
    second.maintain();
    count(second, 2);
    expect(second.isDurable).toBe(false);
    expect(second.problem).not.toBeNull();
    second.close();

    const third = open();
    expect(third.isDurable).toBe(true);
    expect(counters(third)).toEqual({ evictionsFired: 7 });
    expect(third.load()).toEqual({ uses: new Map([["image", use(3)]]), marker });
    expect(third.page({ limit: 10 }).map(({ id }) => id)).toEqual(["of-the-first"]);
    third.close();
  });
});

describe.skipIf(process.platform !== "linux")("where the kernel has its own say", () => {
  it("a directory below /proc is said not to be writable, at once, and the state kept in memory", () => {
    for (const directory of ["/proc/continuum/state", "/proc/self/continuum/state"]) {
      const { log: heard } = recordingLog();
      const state = openState({ directory, log: heard, clock: systemClock });
      expect(state.isDurable).toBe(false);
      expect(state.problem?.text).toMatch(/state\.db can't be written: ENOENT/u);
      count(state, 1);
      expect(counters(state)).toEqual({ evictionsFired: 1 });
      state.maintain();
      state.close();
      expect(existsSync(directory)).toBe(false);
    }
  });

  it("states that were closed hold no descriptor once their statements are collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const path = join(dir(), "state.db");
    const held = (): number =>
      readdirSync("/proc/self/fd").filter((name) => linkOf(`/proc/self/fd/${name}`).startsWith(path)).length;
    for (let round = 0; round < 20; round += 1) {
      const state = open();
      expect(state.isDurable).toBe(true);
      count(state, round);
      state.load();
      state.close();
    }
    for (let round = 0; round < 100 && held() > 0; round += 1) {
      collect();
      await pause(10);
    }
    expect(held()).toBe(0);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // The directory that was being read.
    return "";
  }
}
