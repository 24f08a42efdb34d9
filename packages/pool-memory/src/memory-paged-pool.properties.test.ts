import { ManualClock } from "@continuum/broker-core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryPagedPool, type Pin } from "./index.js";

const KEYS = ["a", "b", "c", "d", "e"];
const CAPACITY = 100;
const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Value {
  readonly id: number;
  readonly size: number;
}

/** The pool as one would write it without a thought for speed: a list, least recently used first. */
class Model {
  cached: { key: string; value: Value; pins: number }[] = [];
  detached: { value: Value; pins: number }[] = [];
  disposed = new Set<number>();
  hits = 0;
  misses = 0;
  evictions = 0;

  constructor(readonly mayEvict: boolean) {}

  at(key: string) {
    return this.cached.find((each) => each.key === key);
  }

  used(): number {
    return [...this.cached, ...this.detached].reduce((sum, { value }) => sum + value.size, 0);
  }

  touch(key: string): void {
    const entry = this.at(key);
    if (entry === undefined) return;
    this.cached = [...this.cached.filter((each) => each !== entry), entry];
  }

  lookUp(key: string): void {
    if (this.at(key) === undefined) this.misses += 1;
    else this.hits += 1;
    this.touch(key);
  }

  remove(key: string): void {
    const entry = this.at(key);
    if (entry === undefined) return;
    this.cached = this.cached.filter((each) => each !== entry);
    if (entry.pins > 0) this.detached.push(entry);
    else this.disposed.add(entry.value.id);
  }

  put(key: string, value: Value, pins = 0): void {
    this.remove(key);
    const free = this.cached
      .filter((each) => each.pins === 0)
      .reduce((sum, { value: { size } }) => sum + size, 0);
    if (value.size > CAPACITY - this.used() + (this.mayEvict ? free : 0)) {
      if (pins > 0) this.unkept.push({ value, pins });
      return;
    }
    while (value.size > CAPACITY - this.used()) this.evictLeast();
    this.cached.push({ key, value, pins });
  }

  /** Pinned, but outside the pool. */
  unkept: { value: Value; pins: number }[] = [];

  evictLeast(): boolean {
    const least = this.cached.find(({ pins }) => pins === 0);
    if (least === undefined) return false;
    this.cached = this.cached.filter((each) => each !== least);
    this.disposed.add(least.value.id);
    this.evictions += 1;
    return true;
  }

  evict(wantBytes: number): void {
    const before = this.used();
    while (before - this.used() < wantBytes && this.evictLeast());
  }

  pin(key: string): void {
    const entry = this.at(key);
    if (entry !== undefined) entry.pins += 1;
  }

  release(id: number): void {
    for (const list of [this.cached, this.detached, this.unkept]) {
      const entry = list.find(({ value }) => value.id === id);
      if (entry === undefined) continue;
      entry.pins -= 1;
      if (entry.pins > 0) return;
      if (list === this.cached) {
        // It comes back as the one that was used last.
        this.cached = [
          ...this.cached.filter((each) => each !== entry),
          entry as (typeof this.cached)[number],
        ];
        return;
      }
      this.disposed.add(id);
      this.detached = this.detached.filter((each) => each !== entry);
      this.unkept = this.unkept.filter((each) => each !== entry);
      return;
    }
  }
}

const key = fc.constantFrom(...KEYS);
const size = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 90, max: 130 }));
const step = fc.oneof(
  fc.record({ do: fc.constant("put" as const), key, size }),
  fc.record({ do: fc.constant("find" as const), key }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({ do: fc.constant("pin" as const), key }),
  fc.record({ do: fc.constant("release" as const), at: fc.nat(20) }),
  fc.record({ do: fc.constant("evict" as const), want: fc.integer({ min: 0, max: 150 }) }),
  fc.record({ do: fc.constant("load" as const), key, wantsPin: fc.boolean() }),
  fc.record({ do: fc.constant("land" as const), at: fc.nat(5), size, fails: fc.boolean() }),
  fc.record({ do: fc.constant("abort" as const), at: fc.nat(5) }),
);

interface Flight {
  readonly key: string;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal;
  callers: Caller[];
  isCurrent: boolean;
}

interface Caller {
  readonly abort: AbortController;
  readonly wantsPin: boolean;
  result: "pending" | "aborted" | "failed" | Value;
}

async function play(
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
  options: {
    readonly priority: "lru" | "sizeWeighted";
    readonly whenFull: "evict" | "refuse";
  },
): Promise<void> {
  const { priority, whenFull } = options;
  const isLru = priority === "lru";
  const model = new Model(whenFull === "evict");
  const disposals = new Map<number, number>();
  const pool = new MemoryPagedPool<string, Value>({
    name: "p",
    capacityBytes: CAPACITY,
    sizeOf: (value) => value.size,
    priority,
    whenFull,
    clock: new ManualClock(),
    dispose: ({ id }) => disposals.set(id, (disposals.get(id) ?? 0) + 1),
  });
  let nextId = 0;
  let pins: { pin: Pin<Value>; id: number }[] = [];
  let flights: Flight[] = [];
  let lookups = 0;

  for (const each of steps) {
    switch (each.do) {
      case "put": {
        const value = { id: (nextId += 1), size: each.size };
        pool.put(each.key, value);
        model.put(each.key, value);
        for (const flight of flights) if (flight.key === each.key) flight.isCurrent = false;
        break;
      }
      case "find":
        lookups += 1;
        pool.find(each.key);
        model.lookUp(each.key);
        break;
      case "delete":
        pool.delete(each.key);
        model.remove(each.key);
        for (const flight of flights) if (flight.key === each.key) flight.isCurrent = false;
        break;
      case "pin": {
        const pin = pool.pin(each.key);
        if (pin !== null) pins.push({ pin, id: pin.value.id });
        model.pin(each.key);
        break;
      }
      case "release": {
        const held = pins[each.at % Math.max(1, pins.length)];
        if (held === undefined) break;
        pins = pins.filter((other) => other !== held);
        held.pin.release();
        // A second release must do nothing.
        held.pin.release();
        model.release(held.id);
        break;
      }
      case "evict": {
        const reclaimable = (await pool.read()).reclaimableBytes ?? Number.NaN;
        const { claimedBytes, shortfall } = await pool.evict({ wantBytes: each.want, signal: never });
        expect(claimedBytes).toBeGreaterThanOrEqual(Math.min(each.want, reclaimable));
        expect(shortfall === null).toBe(claimedBytes >= each.want);
        model.evict(each.want);
        break;
      }
      case "load": {
        lookups += 1;
        const caller: Caller = { abort: new AbortController(), wantsPin: each.wantsPin, result: "pending" };
        const isThere = model.at(each.key) !== undefined;
        model.lookUp(each.key);
        const begun: Flight[] = [];
        const load = (signal: AbortSignal): Promise<Value> =>
          new Promise((resolve, reject) => {
            begun.push({ key: each.key, resolve, reject, signal, callers: [], isCurrent: true });
          });
        const ask = each.wantsPin
          ? pool.acquire(each.key, load, { signal: caller.abort.signal }).then((pin) => {
              pins.push({ pin, id: pin.value.id });
              return pin.value;
            })
          : pool.get(each.key, load, { signal: caller.abort.signal });
        ask.then(
          (value) => (caller.result = value),
          (error: unknown) => (caller.result = (error as Error).message === "failed" ? "failed" : "aborted"),
        );
        if (isThere && each.wantsPin) model.pin(each.key);
        await turn();
        const running = flights.find((flight) => flight.key === each.key && flight.isCurrent);
        // One load at a time for a key, none where the value is there.
        expect(begun).toHaveLength(isThere || running !== undefined ? 0 : 1);
        flights.push(...begun);
        if (!isThere) (begun[0] ?? running)?.callers.push(caller);
        else expect(typeof caller.result).toBe("object");
        break;
      }
      case "land": {
        const flight = flights[each.at % Math.max(1, flights.length)];
        if (flight === undefined) break;
        flights = flights.filter((other) => other !== flight);
        const value = { id: (nextId += 1), size: each.size };
        const waiting = flight.callers.filter(({ result }) => result === "pending");
        expect(flight.signal.aborted).toBe(waiting.length === 0);
        if (each.fails) flight.reject(new Error("failed"));
        else flight.resolve(value);
        await turn();
        for (const { result } of waiting) expect(result).toEqual(each.fails ? "failed" : value);
        if (each.fails) break;
        const pinning = waiting.filter(({ wantsPin }) => wantsPin).length;
        if (waiting.length === 0) model.disposed.add(value.id);
        else if (flight.isCurrent) model.put(flight.key, value, pinning);
        else if (pinning > 0) model.unkept.push({ value, pins: pinning });
        break;
      }
      case "abort": {
        const flight = flights[each.at % Math.max(1, flights.length)];
        const caller = flight?.callers.find(({ result }) => result === "pending");
        caller?.abort.abort();
        await turn();
        if (caller === undefined || flight === undefined) break;
        expect(caller.result).toBe("aborted");
        const isAbandoned = flight.callers.every(({ result }) => result !== "pending");
        expect(flight.signal.aborted).toBe(isAbandoned);
        if (isAbandoned) flight.isCurrent = false;
        break;
      }
    }
    const stats = pool.stats();
    expect(stats.totalBytes).toBeLessThanOrEqual(CAPACITY);
    expect(stats.hitCount + stats.missCount).toBe(lookups);
    expect(stats.inflightCount).toBe(flights.length);
    for (const { pin, id } of pins) expect(disposals.has(id), `pinned ${pin.value.id}`).toBe(false);
    expect([...disposals.values()].every((count) => count === 1)).toBe(true);
    const listed = await pool.entries();
    expect(listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(stats.totalBytes);
    expect(listed.filter(({ pinnedCount }) => pinnedCount > 0)).toHaveLength(stats.pinnedCount);
    const unpinned = listed.filter(({ pinnedCount }) => pinnedCount === 0);
    expect((await pool.read()).reclaimableBytes).toBe(
      unpinned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    );
    if (!isLru) {
      // Which one goes is the order's own matter: the model is told.
      if (KEYS.some((name) => pool.has(name) !== (model.at(name) !== undefined))) return;
      continue;
    }
    expect(stats).toMatchObject({
      entryCount: model.cached.length + model.detached.length,
      totalBytes: model.used(),
      hitCount: model.hits,
      missCount: model.misses,
      evictionCount: model.evictions,
    });
    expect(KEYS.filter((name) => pool.has(name))).toEqual(
      KEYS.filter((name) => model.at(name) !== undefined),
    );
    expect([...disposals.keys()].sort()).toEqual([...model.disposed].sort());
  }
  pool.close();
  for (const { pin } of pins) pin.release();
  expect(pool.stats()).toMatchObject({ totalBytes: 0, entryCount: 0, pinnedCount: 0 });
  expect([...disposals.values()].every((count) => count === 1)).toBe(true);
}

describe("a memory pool against a naive model", () => {
  const numRuns = process.env["CONTINUUM_LONG_TESTS"] === "1" ? 20_000 : 300;
  it.each([
    { priority: "lru", whenFull: "evict" },
    { priority: "lru", whenFull: "refuse" },
    { priority: "sizeWeighted", whenFull: "evict" },
  ] as const)(
    "%o: bytes, pins, counters, loads and disposals are exact",
    { timeout: 1_200_000 },
    async (options) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), (steps) => play(steps, options)),
        { numRuns },
      );
    },
  );
});
