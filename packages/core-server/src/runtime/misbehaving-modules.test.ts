import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import type { RequestOwner } from "./command-handlers.js";
import { EventBus } from "./event-bus.js";
import { ModuleRuntime } from "./module-runtime.js";
import { QUIET_MODULE, type ServiceModule } from "./service-module.js";

/** Somebody who waits for a request, until the test says otherwise. */
class TestOwner implements RequestOwner {
  #giveUp: (reason: Error) => void = () => undefined;

  onAborted(run: (reason: Error) => void): void {
    this.#giveUp = run;
  }

  abort(reason: Error): void {
    this.#giveUp(reason);
  }
}
const owner = new TestOwner();
const never = (): Promise<never> => new Promise(() => undefined);
const alert = { tierName: "t", pressure: 1, tier: "critical", bytesFreed: 0, actionTaken: true, atMs: 1 };

/** A runtime with a module that misbehaves between two that don't. */
function setUp(given: Partial<ServiceModule>) {
  const { log, entries } = recordingLog();
  const clock = new ManualClock();
  const events = new EventBus(log);
  const journal: string[] = [];
  const good = (name: string, priority: number): ServiceModule => ({
    ...QUIET_MODULE,
    name,
    priority,
    tickIntervalMs: 1_000,
    eventSubscriptions: ["pressure-alert"],
    start: () => Promise.resolve(void journal.push(`start ${name}`)),
    stop: () => Promise.resolve(void journal.push(`stop ${name}`)),
    tick: () => Promise.resolve(void journal.push(`tick ${name}`)),
    onEvent: () => void journal.push(`event ${name}`),
  });
  const bad: ServiceModule = { ...QUIET_MODULE, name: "bad", essential: false, priority: 2, ...given };
  const runtime = new ModuleRuntime({
    modules: [good("first", 1), bad, good("last", 3)],
    clock,
    log,
    events,
    maxQueued: 4,
  });
  const listed = () => runtime.list().find(({ name }) => name === "bad");
  const measured = () => runtime.metrics().find(({ name }) => name === "bad");
  return { runtime, clock, entries, events, journal, listed, measured };
}

/** What is true however a module misbehaves: the others tick, hear, answer and stop. */
async function expectOthersToWork({
  runtime,
  clock,
  events,
  journal,
}: ReturnType<typeof setUp>): Promise<void> {
  journal.splice(0);
  await clock.advance(1_000);
  events.publish({ name: "pressure-alert", data: alert });
  expect(journal.toSorted()).toEqual(["event first", "event last", "tick first", "tick last"]);
  for (const name of ["first", "last"]) expect(await runtime.run(name, () => "answer", owner)).toBe("answer");
  expect(runtime.isReady).toBe(true);
}

/** Stops, within the bound however long a module takes. */
async function stopWithin(test: ReturnType<typeof setUp>, ms: number): Promise<void> {
  let hasStopped = false;
  const stopping = test.runtime.stop().then(() => (hasStopped = true));
  await test.clock.advance(ms);
  expect(hasStopped).toBe(true);
  await stopping;
  expect(test.journal.filter((step) => step.startsWith("stop"))).toEqual(["stop last", "stop first"]);
  expect(test.clock.pendingTimers).toBe(0);
}

describe("a module that fails", () => {
  it.each<readonly [string, ServiceModule["start"]]>([
    [
      "at once",
      () => {
        throw new Error("broken");
      },
    ],
    ["later", () => Promise.reject(new Error("broken"))],
  ])("in its start, %s, is left out and its requests are refused with the reason", async (_when, start) => {
    const test = setUp({ start });
    await test.runtime.start();
    expect(test.listed()).toMatchObject({ state: "failed", lastError: "broken" });
    await expect(test.runtime.run("bad", () => "x", owner)).rejects.toMatchObject({
      code: "tierUnavailable",
      message: expect.stringContaining("broken") as string,
    });
    await expectOthersToWork(test);
    await stopWithin(test, 0);
  });

  it.each<readonly [string, ServiceModule["tick"]]>([
    [
      "at once",
      () => {
        throw new Error("broken");
      },
    ],
    ["later", () => Promise.reject(new Error("broken"))],
  ])("in a tick, %s, is degraded until one goes well", async (_when, failing) => {
    let tick = failing;
    const test = setUp({ tickIntervalMs: 1_000, tick: (signal) => tick(signal) });
    await test.runtime.start();
    await test.clock.advance(2_000);
    expect(test.listed()).toMatchObject({ state: "degraded", lastError: "broken" });
    expect(test.measured()).toMatchObject({ ticks: 2, failedTicks: 2 });
    await expectOthersToWork(test);
    tick = () => Promise.resolve();
    await test.clock.advance(1_000);
    expect(test.listed()).toMatchObject({ state: "ready", lastError: "broken" });
    await stopWithin(test, 0);
  });

  it.each<readonly [string, () => Promise<never>]>([
    [
      "at once",
      () => {
        throw new Error("broken");
      },
    ],
    ["later", () => Promise.reject(new Error("broken"))],
  ])("in a handler, %s, fails that request alone", async (_when, task) => {
    const test = setUp({});
    await test.runtime.start();
    await expect((async () => await test.runtime.run("bad", task, owner))()).rejects.toThrow("broken");
    expect(await test.runtime.run("bad", () => "next", owner)).toBe("next");
    expect(test.measured()).toMatchObject({ requests: 2, failedRequests: 1, inFlight: 0 });
    await expectOthersToWork(test);
    await stopWithin(test, 0);
  });

  it.each<readonly [string, () => void]>([
    [
      "at once",
      () => {
        throw new Error("broken");
      },
    ],
    // As an async function would, which the type lets pass.
    ["later", () => Promise.reject(new Error("broken"))],
  ])("on an event, %s, harms no other listener and is seen", async (_when, onEvent) => {
    const test = setUp({ eventSubscriptions: ["pressure-alert"], onEvent });
    await test.runtime.start();
    await expectOthersToWork(test);
    expect(test.measured()).toMatchObject({ events: 1, failedEvents: 1 });
    await test.clock.advance(0);
    expect(test.listed()?.lastError).toContain("broken");
    expect(test.entries).toContainEqual(expect.objectContaining({ level: 50 }));
    await stopWithin(test, 0);
  });

  it("in its stop, keeps no other from stopping, and is listed as failed", async () => {
    const test = setUp({ stop: () => Promise.reject(new Error("broken")) });
    await test.runtime.start();
    await stopWithin(test, 0);
    expect(test.listed()).toMatchObject({ state: "failed", lastError: "broken" });
  });

  it("in saying what is wrong with it, says that", async () => {
    const test = setUp({
      problem: () => {
        throw new Error("broken");
      },
    });
    await test.runtime.start();
    expect(test.listed()).toMatchObject({ state: "degraded", lastError: "broken" });
    await stopWithin(test, 0);
  });
});

describe("a module that hangs", () => {
  it("in its start, is left out after half a minute, and stopped should it start after all", async () => {
    let finish = (): void => undefined;
    let stops = 0;
    const test = setUp({
      start: () => new Promise((resolve) => (finish = resolve)),
      stop: () => Promise.resolve(void (stops += 1)),
    });
    const starting = test.runtime.start();
    await test.clock.advance(29_000);
    expect(test.listed()).toMatchObject({ state: "starting" });
    expect(test.runtime.isReady).toBe(false);
    expect(await test.runtime.run("first", () => "alive", owner)).toBe("alive");
    await test.clock.advance(1_000);
    await starting;
    expect(test.listed()).toMatchObject({ state: "failed", lastError: "it has not started within 30 s" });
    await expectOthersToWork(test);
    finish();
    await test.clock.advance(0);
    expect(stops).toBe(1);
    await stopWithin(test, 0);
  });

  it("in its start, though the core can't be without it, ends the start with its name", async () => {
    const test = setUp({ start: never, essential: true });
    const starting = test.runtime.start();
    const outcome = expect(starting).rejects.toMatchObject({
      code: "moduleFailed",
      message: "module bad failed to start: it has not started within 30 s",
    });
    await test.clock.advance(29_999);
    expect(test.runtime.isReady).toBe(false);
    await test.clock.advance(1);
    await outcome;
  });

  it("in a tick, is listed as degraded with how long, logged once, and missed ticks are counted", async () => {
    const test = setUp({ tickIntervalMs: 1_000, tick: never });
    await test.runtime.start();
    await test.clock.advance(5_000);
    expect(test.listed()).toMatchObject({ state: "ready" });
    await test.clock.advance(56_000);
    expect(test.listed()).toMatchObject({ state: "degraded", lastError: "its tick has run for 60 s" });
    expect((test.listed()?.sinceMs ?? 0) + 60_000).toBe(test.clock.nowMs());
    expect(test.measured()).toMatchObject({ ticks: 1, missedTicks: 60 });
    expect(test.entries.filter(({ module }) => module === "bad")).toEqual([
      expect.objectContaining({ level: 50, msg: "a tick of bad has run for 10 s; there is none beside it" }),
    ]);
    await expectOthersToWork(test);
    // The stop doesn't wait for it for ever.
    await stopWithin(test, 1_000);
  });

  it("in a handler, takes its place until its request is given up", async () => {
    const test = setUp({ maxConcurrency: 1 });
    await test.runtime.start();
    const abort = new TestOwner();
    const hung = test.runtime.run("bad", never, abort);
    expect(test.measured()).toMatchObject({ inFlight: 1 });
    await expectOthersToWork(test);
    abort.abort(new Error("too late"));
    await expect(hung).rejects.toThrow("too late");
    expect(await test.runtime.run("bad", () => "free", owner)).toBe("free");
    await stopWithin(test, 0);
  });

  it("in its stop, isn't waited for beyond a second, and listed as failed", async () => {
    const test = setUp({ stop: never });
    await test.runtime.start();
    await stopWithin(test, 1_000);
    expect(test.listed()).toMatchObject({ state: "failed" });
    expect(test.listed()?.lastError).toContain("has not ended within 1 s");
  });
});

describe("a module that says what is wrong with it", () => {
  it("is degraded as long as it says so, which keeps the core ready", async () => {
    let problem: { text: string; sinceMs: number } | null = { text: "the disk is full", sinceMs: 5 };
    const test = setUp({ problem: () => problem });
    await test.runtime.start();
    expect(test.listed()).toMatchObject({ state: "degraded", lastError: "the disk is full", sinceMs: 5 });
    expect(test.runtime.isReady).toBe(true);
    problem = null;
    expect(test.listed()).toMatchObject({ state: "ready", lastError: null });
    await stopWithin(test, 0);
  });
});
