import { PoolError } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { MemoryRecords } from "./memory-records.js";
import { RecordKeeper } from "./record-keeper.js";
import type { KeptReading, RecordBatch } from "./record-store.js";

class CountingStore extends MemoryRecords {
  writes: RecordBatch[] = [];
  failure: Error | null = null;

  override write(batch: RecordBatch): { readonly droppedReadings: number } {
    if (this.failure !== null) throw this.failure;
    this.writes.push(batch);
    return super.write(batch);
  }
}

function setUp() {
  const clock = new ManualClock();
  const store = new CountingStore();
  const { log, entries } = recordingLog();
  return { clock, store, entries, keeper: new RecordKeeper({ store, clock, log }) };
}

const reading = (atMs: number, pressure = 0.5): KeptReading => ({
  pool: "a",
  atMs,
  usedBytes: 1,
  capacityBytes: 2,
  pressure,
});

describe("RecordKeeper", () => {
  it("writes what it is told within a second, all that came meanwhile at once", async () => {
    const { clock, store, keeper } = setUp();
    keeper.put("broker", "counters", 1);
    await clock.advance(0);
    expect(store.writes).toHaveLength(1);
    for (let i = 2; i <= 9; i++) {
      keeper.put("broker", "counters", i);
      keeper.add(reading(i));
      await clock.advance(100);
    }
    expect(store.writes).toHaveLength(1);
    await clock.advance(200);
    expect(store.writes).toHaveLength(2);
    expect(store.writes[1]?.documents).toEqual(new Map([["broker/counters", 9]]));
    expect(store.writes[1]?.readings).toHaveLength(8);
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives documents as they were told last, written or not", async () => {
    const { clock, keeper } = setUp();
    keeper.put("a", "x", 1);
    keeper.put("a", "y", 1);
    keeper.put("ab", "x", 7);
    await clock.advance(0);
    keeper.put("a", "x", 2);
    keeper.put("a", "y", null);
    expect(keeper.documents("a")).toEqual(new Map([["x", 2]]));
    expect(keeper.documents("ab")).toEqual(new Map([["x", 7]]));
  });

  it("tries again each second while nothing can be written, says so once, and loses only the oldest readings", async () => {
    const { clock, store, keeper, entries } = setUp();
    store.failure = new PoolError("noSpace", "there is no space left");
    keeper.put("broker", "counters", 1);
    for (let i = 0; i < 5_000; i++) keeper.add(reading(i));
    await clock.advance(10_000);
    expect(entries.map(({ msg }) => msg)).toEqual(["the state can't be written now: there is no space left"]);
    expect(keeper.droppedReadings).toBe(5_000 - 4_096);
    store.failure = null;
    await clock.advance(1_000);
    expect(store.writes[0]?.documents.get("broker/counters")).toBe(1);
    expect(store.writes[0]?.readings.at(-1)?.atMs).toBe(4_999);
    expect(entries.at(-1)?.["msg"]).toBe("the state is written again");
  });

  it("goes on after a bug in what it writes to, and says it as one", async () => {
    const { clock, store, keeper, entries } = setUp();
    store.failure = new TypeError("a bug");
    keeper.put("broker", "counters", 1);
    await clock.advance(3_000);
    expect(entries).toEqual([
      expect.objectContaining({ level: 50, msg: "the state can't be written now: a bug" }),
    ]);
  });

  it("doesn't keep a reading whose figures are none", async () => {
    const { clock, store, keeper } = setUp();
    keeper.add(reading(1, NaN));
    keeper.add(reading(2, Infinity));
    keeper.add(reading(3));
    await clock.advance(0);
    expect(store.writes[0]?.readings.map(({ atMs }) => atMs)).toEqual([3]);
    expect(keeper.droppedReadings).toBe(2);
  });

  it("writes what waits when it is closed, and sets no timer after", async () => {
    const { clock, store, keeper } = setUp();
    keeper.put("broker", "counters", 1);
    keeper.close();
    expect(store.writes).toHaveLength(1);
    keeper.put("broker", "counters", 2);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(5_000);
    expect(store.writes).toHaveLength(1);
  });
});
