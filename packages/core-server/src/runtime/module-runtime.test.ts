import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { EventBus } from "./event-bus.js";
import type { RequestOwner } from "./command-handlers.js";
import { ModuleRuntime } from "./module-runtime.js";
import { QUIET_MODULE, type ServiceModule } from "./service-module.js";

function setUp(modules: readonly ServiceModule[], maxQueued = 2) {
  const { log, entries } = recordingLog();
  const clock = new ManualClock();
  const events = new EventBus(log);
  return { runtime: new ModuleRuntime({ modules, clock, log, events, maxQueued }), clock, entries, events };
}

function journaled(
  journal: string[],
  name: string,
  priority: number,
  failing?: "start" | "stop",
): ServiceModule {
  const step = (what: "start" | "stop") => (): Promise<void> => {
    journal.push(`${what} ${name}`);
    return failing === what ? Promise.reject(new Error(`${name} is broken`)) : Promise.resolve();
  };
  return { ...QUIET_MODULE, name, priority, start: step("start"), stop: step("stop") };
}

/** Somebody who waits for a request, until the test says otherwise. */
class TestOwner implements RequestOwner {
  readonly #onAborted: ((reason: Error) => void)[] = [];

  onAborted(run: (reason: Error) => void): void {
    this.#onAborted.push(run);
  }

  abort(reason: Error): void {
    for (const run of this.#onAborted) run(reason);
  }
}

const owner = new TestOwner();

describe("starting and stopping", () => {
  it("goes by priority, then name, and back in reverse", async () => {
    const journal: string[] = [];
    const { runtime } = setUp([
      journaled(journal, "c", 1),
      journaled(journal, "a", 2),
      journaled(journal, "b", 1),
    ]);
    await runtime.start();
    await runtime.stop();
    expect(journal).toEqual(["start b", "start c", "start a", "stop a", "stop c", "stop b"]);
  });

  it("stops what has started when one fails to start, and says which", async () => {
    const journal: string[] = [];
    const { runtime } = setUp([
      journaled(journal, "a", 1),
      journaled(journal, "b", 2, "start"),
      journaled(journal, "c", 3),
    ]);
    await expect(runtime.start()).rejects.toMatchObject({
      code: "moduleFailed",
      message: "module b failed to start: b is broken",
    });
    expect(journal).toEqual(["start a", "start b", "stop a"]);
  });

  it("stops the others when one fails to stop", async () => {
    const journal: string[] = [];
    const { runtime, entries } = setUp([journaled(journal, "a", 1), journaled(journal, "b", 2, "stop")]);
    await runtime.start();
    await runtime.stop();
    expect(journal.slice(2)).toEqual(["stop b", "stop a"]);
    expect(entries).toContainEqual(expect.objectContaining({ module: "b", level: 50 }));
  });

  it("refuses two modules of one name", () => {
    const twice = { ...QUIET_MODULE, name: "a" };
    expect(() => setUp([twice, twice])).toThrow(expect.objectContaining({ code: "routes" }) as Error);
  });
});

describe("requests", () => {
  it("run up to the limit, wait up to the queue, and are refused beyond", async () => {
    const { runtime } = setUp([{ ...QUIET_MODULE, name: "m", maxConcurrency: 1 }], 2);
    await runtime.start();
    const finish: (() => void)[] = [];
    const task = (): Promise<void> => new Promise((resolve) => finish.push(resolve));
    const first = runtime.run("m", task, owner);
    const second = runtime.run("m", task, owner);
    const third = runtime.run("m", () => "third", owner);
    expect(finish).toHaveLength(1);
    expect(() => runtime.run("m", task, owner)).toThrow(
      expect.objectContaining({ code: "overloaded" }) as Error,
    );
    finish[0]?.();
    await first;
    await Promise.resolve();
    expect(finish).toHaveLength(2);
    finish[1]?.();
    await second;
    expect(await third).toBe("third");
    await runtime.stop();
  });

  it("that are aborted leave their place, running or waiting, even when they don't heed the signal", async () => {
    const { runtime } = setUp([{ ...QUIET_MODULE, name: "m", maxConcurrency: 1 }]);
    await runtime.start();
    const running = new TestOwner();
    const waiting = new TestOwner();
    const hung = runtime.run("m", () => new Promise(() => undefined), running);
    const queued = runtime.run("m", () => "never", waiting);
    waiting.abort(new Error("gave up"));
    await expect(queued).rejects.toThrow("gave up");
    running.abort(new Error("too slow"));
    await expect(hung).rejects.toThrow("too slow");
    expect(await runtime.run("m", () => "free", owner)).toBe("free");
    await runtime.stop();
  });

  it("that come before their module has started wait for it", async () => {
    let open = (): void => undefined;
    const slow = {
      ...QUIET_MODULE,
      name: "slow",
      start: () => new Promise<void>((resolve) => (open = resolve)),
    };
    const { runtime } = setUp([slow]);
    const early = runtime.run("slow", () => "answer", owner);
    const starting = runtime.start();
    open();
    await starting;
    expect(await early).toBe("answer");
    await runtime.stop();
  });

  it("fail when their module never starts", async () => {
    const { runtime } = setUp([journaled([], "m", 1, "start")]);
    const early = runtime.run("m", () => "answer", owner);
    await expect(runtime.start()).rejects.toThrow();
    await expect(early).rejects.toThrow("module m is not running");
  });
});

describe("events", () => {
  it("reach the modules that subscribed, while they run", async () => {
    const heard: string[] = [];
    const { runtime, events } = setUp([
      {
        ...QUIET_MODULE,
        name: "a",
        eventSubscriptions: ["pressure-alert"],
        onEvent: ({ name }) => heard.push(name),
      },
      { ...QUIET_MODULE, name: "b", onEvent: () => heard.push("b") },
    ]);
    const alert = { tierName: "t", pressure: 1, tier: "critical", bytesFreed: 0, actionTaken: true, atMs: 1 };
    events.publish({ name: "pressure-alert", data: alert });
    await runtime.start();
    events.publish({ name: "pressure-alert", data: alert });
    await runtime.stop();
    events.publish({ name: "pressure-alert", data: alert });
    expect(heard).toEqual(["pressure-alert"]);
  });

  it("reach everyone although one listener throws", () => {
    const { events, entries } = setUp([]);
    const heard: string[] = [];
    events.subscribe(["pressure-alert"], () => {
      throw new Error("deaf");
    });
    events.subscribe(["pressure-alert"], ({ name }) => heard.push(name));
    const alert = { tierName: "t", pressure: 1, tier: "critical", bytesFreed: 0, actionTaken: true, atMs: 1 };
    events.publish({ name: "pressure-alert", data: alert });
    expect(heard).toEqual(["pressure-alert"]);
    expect(entries).toContainEqual(expect.objectContaining({ level: 50 }));
  });
});
