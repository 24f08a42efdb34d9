import { PressureBroker } from "@continuum/broker-core";
import { describePoolContract, ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { type DisposeReason, MemoryPagedPool, type MemoryPoolOptions } from "./index.js";

const never = new AbortController().signal;

function poolOf(options: Partial<MemoryPoolOptions<string, string>> = {}): {
  pool: MemoryPagedPool<string, string>;
  gone: string[];
} {
  const gone: string[] = [];
  const pool = new MemoryPagedPool<string, string>({
    name: "texts",
    capacityBytes: 10,
    sizeOf: (text) => text.length,
    clock: new ManualClock(),
    dispose: (value, key, reason: DisposeReason) => gone.push(`${key}:${value}:${reason}`),
    ...options,
  });
  return { pool, gone };
}

/** A load that a test ends by hand. */
function gate(): {
  load: (signal: AbortSignal) => Promise<string>;
  open: (value: string) => void;
  fail: (error: Error) => void;
  calls: () => number;
  signal: () => AbortSignal;
} {
  let calls = 0;
  let given: AbortSignal = never;
  const { promise, resolve, reject } = withResolvers<string>();
  const load = (signal: AbortSignal): Promise<string> => {
    calls += 1;
    given = signal;
    return promise;
  };
  return { load, open: resolve, fail: reject, calls: () => calls, signal: () => given };
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const priority of ["lru", "sizeWeighted"] as const) {
  describePoolContract(`MemoryPagedPool (${priority})`, { describe, it, expect }, () => {
    const { pool } = poolOf({ capacityBytes: 100, priority });
    for (let i = 0; i < 20; i++) pool.put(`k${i}`, "x".repeat(i % 7));
    pool.pin("k3");
    return Promise.resolve({
      pool,
      dispose: () => {
        pool.close();
        return Promise.resolve();
      },
    });
  });
}

describe("a memory pool", () => {
  it("is relieved by a broker down to its target, and what is pinned stays", async () => {
    const { pool, gone } = poolOf({ capacityBytes: 100 });
    for (let i = 0; i < 10; i++) pool.put(`k${i}`, "0123456789");
    using pin = pool.pin("k0") ?? expect.fail();
    const broker = new PressureBroker({ policy: { actAbove: 0.8, target: 0.6 } });
    broker.register(pool);
    const [outcome] = await (await broker.relieve()).done;
    await broker.close();
    expect(outcome).toMatchObject({ claimedBytes: 40, freedBytes: 40, shortfall: null });
    expect(gone).toEqual(["k1", "k2", "k3", "k4"].map((key) => `${key}:0123456789:evicted`));
    expect(pool.has("k0")).toBe(true);
    expect(pin.value).toBe("0123456789");
  });

  it("says what pins keep it from freeing", async () => {
    const { pool } = poolOf();
    pool.put("a", "1234");
    pool.put("b", "12345");
    pool.pin("b");
    const result = await pool.evict({ wantBytes: 8, signal: never });
    expect(result).toMatchObject({
      claimedBytes: 4,
      shortfall: "what is left (5 B in 1 entries) is pinned",
    });
    expect(await pool.read()).toMatchObject({ usedBytes: 5, reclaimableBytes: 0 });
    expect(await poolOf().pool.evict({ wantBytes: 1, signal: never })).toMatchObject({
      shortfall: "the pool is empty",
    });
  });

  it("evicts the least recently used first, a use being a find or a put", () => {
    const { pool, gone } = poolOf({ capacityBytes: 3 });
    for (const key of ["a", "b", "c"]) pool.put(key, "x");
    pool.find("a");
    pool.put("d", "x");
    pool.put("e", "x");
    expect(gone).toEqual(["b:x:evicted", "c:x:evicted"]);
  });

  it("weighs size and uses where it is told to", () => {
    const { pool, gone } = poolOf({ priority: "sizeWeighted" });
    pool.put("big", "123456");
    pool.put("small", "1");
    pool.find("big");
    pool.put("other", "1234");
    expect(gone).toEqual(["big:123456:evicted"]);
  });

  it("lets what was used often long ago age out", () => {
    const { pool } = poolOf({ priority: "sizeWeighted", capacityBytes: 4 });
    pool.put("once-hot", "x");
    for (let i = 0; i < 20; i++) pool.find("once-hot");
    for (let i = 0; i < 200; i++) pool.put(`k${i}`, "x");
    expect(pool.has("once-hot")).toBe(false);
  });

  it("never exceeds its capacity: room is made, or the value isn't kept", async () => {
    const { pool, gone } = poolOf();
    pool.put("a", "12345");
    pool.pin("a");
    expect(pool.put("b", "123456")).toBe(false);
    expect(await pool.get("huge", () => "x".repeat(11))).toHaveLength(11);
    expect(pool.has("huge")).toBe(false);
    expect(gone).toEqual([]);
    expect(pool.stats()).toMatchObject({ totalBytes: 5, entryCount: 1 });

    const refusing = poolOf({ whenFull: "refuse" });
    expect(refusing.pool.put("a", "1234567")).toBe(true);
    expect(refusing.pool.put("b", "1234")).toBe(false);
    expect(refusing.pool.put("a", "123")).toBe(true);
    expect(refusing.gone).toEqual(["a:1234567:replaced"]);
  });

  it("keeps a replaced value alive while it is pinned, and its bytes counted", async () => {
    const { pool, gone } = poolOf();
    pool.put("a", "old");
    const first = pool.pin("a");
    const second = pool.pin("a");
    pool.put("a", "newer");
    expect(pool.stats()).toMatchObject({ totalBytes: 8, entryCount: 2, pinnedCount: 1 });
    expect((await pool.entries()).map(({ key }) => key)).toEqual(["a", "a (replaced)"]);
    first?.release();
    first?.release();
    expect(gone).toEqual([]);
    second?.release();
    expect(gone).toEqual(["a:old:replaced"]);
    expect(pool.stats()).toMatchObject({ totalBytes: 5, entryCount: 1, pinnedCount: 0 });
  });

  it("takes a value again that has grown, or lets it go when it no longer fits", () => {
    const gone: number[][] = [];
    const pool = new MemoryPagedPool<string, number[]>({
      name: "lists",
      capacityBytes: 10,
      sizeOf: (list) => list.length,
      dispose: (list) => gone.push(list),
    });
    const list = [1, 2];
    pool.put("other", [1, 2, 3]);
    pool.put("list", list);
    list.push(3, 4, 5, 6, 7, 8);
    expect(pool.put("list", list)).toBe(true);
    expect(pool.stats()).toMatchObject({ totalBytes: 8, entryCount: 1 });
    list.push(9, 10, 11);
    expect(pool.put("list", list)).toBe(false);
    expect(gone).toEqual([[1, 2, 3], list]);
    expect(pool.stats()).toMatchObject({ totalBytes: 0, entryCount: 0 });
  });

  it("begins anew with each value that takes another's place, and a pin keeps the value that it was of", async () => {
    const clock = new ManualClock();
    const { pool } = poolOf({ clock });
    pool.put("a", "aaaaa");
    const pin = pool.pin("a");
    pool.find("a");
    pool.find("a");
    pin?.release();
    await clock.advance(1_000);
    pool.put("b", "bbbbbbbb"); // in place of a
    pool.put("c", "ccccccccc"); // in place of b
    pool.put("c", "cccc");
    pool.put("d", "dddd");
    expect(pin?.value).toBe("aaaaa");
    pin?.release();
    const fresh = { pinnedCount: 0, loadedAt: clock.nowMs(), lastAccessAt: clock.nowMs(), accessCount: 0 };
    expect(await pool.entries()).toEqual([
      { key: "c", sizeBytes: 4, ...fresh },
      { key: "d", sizeBytes: 4, ...fresh },
    ]);
    expect(pool.stats()).toMatchObject({ entryCount: 2, pinnedCount: 0, totalBytes: 8, evictionCount: 2 });
  });

  it("goes on when disposing throws or calls back", () => {
    const errors: unknown[] = [];
    const { pool } = poolOf({
      capacityBytes: 2,
      dispose: (_value, key) => {
        if (key === "a") pool.put("again", "x");
        throw new Error(`disposing ${key}`);
      },
      onError: (error) => errors.push(error),
    });
    for (const key of ["a", "b", "c"]) pool.put(key, "x");
    expect(errors).toHaveLength(2);
    expect(pool.stats()).toMatchObject({ totalBytes: 2, entryCount: 2 });
  });

  it("refuses sizes that aren't whole bytes, and disposes of what it can't weigh", async () => {
    const { pool, gone } = poolOf({ sizeOf: () => Number.NaN });
    expect(() => pool.put("a", "x")).toThrow("sizeOf must give whole bytes, not NaN for a");
    await expect(pool.get("a", () => "x")).rejects.toThrow(RangeError);
    expect(gone).toEqual(["a:x:unkept"]);
    expect(() => poolOf({ capacityBytes: 0 })).toThrow(RangeError);
  });

  it("lets go of everything when it closes, of pinned values when they are released", async () => {
    const { pool, gone } = poolOf();
    pool.put("a", "1");
    pool.put("b", "2");
    const pin = pool.pin("b");
    const { load, signal } = gate();
    void pool.get("c", load).catch(() => undefined);
    await turn();
    pool.close();
    expect(signal().aborted).toBe(true);
    expect(gone).toEqual(["a:1:closed"]);
    pin?.release();
    expect(gone).toEqual(["a:1:closed", "b:2:closed"]);
    expect(pool.put("d", "4")).toBe(false);
    await expect(pool.get("d", () => "4")).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("loading through a memory pool", () => {
  it("happens once for all who ask at the same time", async () => {
    const { pool } = poolOf();
    const { load, open, calls } = gate();
    const all = Promise.all(Array.from({ length: 50 }, () => pool.get("a", load)));
    await turn();
    expect(pool.stats()).toMatchObject({ inflightCount: 1, missCount: 50 });
    open("value");
    expect(new Set(await all)).toEqual(new Set(["value"]));
    expect(calls()).toBe(1);
    expect(await pool.get("a", load)).toBe("value");
    expect(pool.stats()).toMatchObject({ hitCount: 1, missCount: 50, inflightCount: 0, entryCount: 1 });
  });

  it("leaves the others when one aborts, and is aborted when all have", async () => {
    const { pool } = poolOf();
    const first = gate();
    const [one, two] = [new AbortController(), new AbortController()];
    const a = pool.get("a", first.load, { signal: one.signal });
    const b = pool.get("a", first.load, { signal: two.signal });
    await turn();
    one.abort(new Error("enough"));
    await expect(a).rejects.toMatchObject({ code: "aborted", message: "loading a was aborted" });
    expect(first.signal().aborted).toBe(false);
    two.abort();
    await expect(b).rejects.toMatchObject({ code: "aborted" });
    expect(first.signal().aborted).toBe(true);
    // The next one doesn't wait for the load that is being given up.
    expect(await pool.get("a", () => "fresh")).toBe("fresh");
    expect(pool.stats().inflightCount).toBe(1);
    first.open("late");
    await turn();
    expect(pool.find("a")).toBe("fresh");
    expect(pool.stats().inflightCount).toBe(0);
  });

  it("disposes of what comes when nobody waits any more", async () => {
    const { pool, gone } = poolOf();
    const { load, open } = gate();
    const abort = new AbortController();
    const asked = pool.get("a", load, { signal: abort.signal });
    await turn();
    abort.abort();
    await expect(asked).rejects.toThrow();
    open("late");
    await turn();
    expect(gone).toEqual(["a:late:unkept"]);
    expect(pool.has("a")).toBe(false);
  });

  it("doesn't begin for a signal that has aborted, nor count", async () => {
    const { pool } = poolOf();
    const { load, calls } = gate();
    await expect(pool.get("a", load, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
    expect(calls()).toBe(0);
    expect(pool.stats().missCount).toBe(0);
  });

  it("isn't remembered when it fails, be it by a throw", async () => {
    const { pool } = poolOf();
    const { load, fail } = gate();
    const both = Promise.allSettled([pool.get("a", load), pool.get("a", load)]);
    await turn();
    fail(new Error("no such thing"));
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const thrown = (): never => {
      throw new Error("at once");
    };
    await expect(pool.get("a", thrown)).rejects.toThrow("at once");
    expect(await pool.get("a", () => "third time")).toBe("third time");
  });

  it("doesn't overwrite what was put or deleted meanwhile", async () => {
    const { pool } = poolOf();
    const { load, open } = gate();
    const asked = [pool.get("a", load), pool.get("b", load)];
    await turn();
    pool.put("a", "put");
    pool.delete("b");
    open("loaded");
    expect(await Promise.all(asked)).toEqual(["loaded", "loaded"]);
    expect(pool.find("a")).toBe("put");
    expect(pool.has("b")).toBe(false);
  });

  it("hands out a pin before anybody can evict the value", async () => {
    const { pool, gone } = poolOf();
    const { load, open } = gate();
    const pins = Promise.all([pool.acquire("a", load), pool.acquire("a", load)]);
    await turn();
    open("value");
    const [first, second] = await pins;
    await pool.evict({ wantBytes: 10, signal: never });
    expect(gone).toEqual([]);
    expect(pool.stats().pinnedCount).toBe(1);
    first.release();
    using third = await pool.acquire("a", load);
    second.release();
    await pool.evict({ wantBytes: 10, signal: never });
    expect(third.value).toBe("value");
    expect(gone).toEqual([]);
  });

  it("pins what it doesn't keep, and disposes of it with the last pin", async () => {
    const { pool, gone } = poolOf();
    const huge = "x".repeat(11);
    const pin = await pool.acquire("huge", () => huge);
    expect(pool.stats()).toMatchObject({ entryCount: 0, totalBytes: 0, pinnedCount: 0 });
    pin.release();
    expect(gone).toEqual([`huge:${huge}:unkept`]);
  });
});
