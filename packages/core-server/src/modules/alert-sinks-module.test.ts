import { ManualClock } from "@continuum/broker-core/testing";
import type { AlertMessage } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { resolveConfig } from "../config/resolve-config.js";
import { createAlertSinks } from "../create-alert-sinks.js";
import { EventBus } from "../runtime/event-bus.js";
import type { AlertSink } from "../sinks/alert-sink.js";
import { SinkError } from "../sinks/sink-error.js";
import { alertMessage } from "../testing/alert-message.js";
import { recordingLog } from "../testing/recording-log.js";
import { tempDirectory } from "../testing/temp-directory.js";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAlertSinksModule } from "./alert-sinks-module.js";

function startSinks(sinks: readonly AlertSink[], open: readonly AlertMessage[] = []) {
  const clock = new ManualClock();
  const { log, entries } = recordingLog();
  const module = createAlertSinksModule({ sinks, clock, log, openMessages: () => open });
  return { clock, module, entries, log };
}

function sink(kind: AlertSink["kind"], deliver: AlertSink["deliver"]): AlertSink {
  return { kind, target: kind, deadlineMs: 10_000, deliver };
}

const arrived = (): Promise<void> => Promise.resolve();
const event = { name: "alert-message", data: alertMessage() } as const;

describe("the sinks of a core", () => {
  it("delay nobody: one that hangs, throws or is slow to begin keeps neither the others nor the event", async () => {
    const got: string[] = [];
    const { clock, module, log } = startSinks([
      sink("slack", () => new Promise(() => undefined)),
      sink("discord", () => {
        throw new Error("a bug");
      }),
      sink("json", ({ text }) => {
        got.push(text);
        return arrived();
      }),
    ]);
    const bus = new EventBus(log);
    bus.subscribe(["alert-message"], (each) => module.onEvent(each));
    let isCalled = false;
    bus.subscribe(["alert-message"], () => (isCalled = true));
    bus.publish(event);
    // Nothing has begun yet: the event only noted it.
    expect([isCalled, got]).toEqual([true, []]);
    await clock.advance(0);
    expect(got).toEqual([alertMessage().text]);
    const { sinks } = module.handlers["system/alert-sinks"]({}, {} as never) as { sinks: unknown[] };
    expect(sinks).toMatchObject([
      { name: "slack", state: "delivering", queued: 1 },
      { name: "discord", state: "idle", dropped: 1, lastError: "a bug" },
      { name: "json", delivered: 1 },
    ]);
    const stopping = module.stop();
    await clock.advance(500);
    await stopping;
    expect(clock.pendingTimers).toBe(0);
  });

  it("of one kind are told apart by number, and what is open is told again at the start and by the minute", async () => {
    const told: string[] = [];
    const alertmanager: AlertSink = {
      ...sink("alertmanager", arrived),
      refresh: (open) => {
        told.push(open.map(({ episodeId }) => episodeId).join());
        return arrived();
      },
    };
    const { clock, module, log } = startSinks(
      [sink("slack", arrived), sink("slack", arrived), alertmanager],
      [alertMessage({ episodeId: "left open" })],
    );
    const events = new EventBus(log);
    const { signal } = new AbortController();
    expect(module.tickIntervalMs).toBe(60_000);
    await module.start({ log, clock, events, signal });
    await clock.advance(0);
    await module.tick(signal);
    await clock.advance(0);
    expect(told).toEqual(["left open", "left open"]);
    const { sinks } = module.handlers["system/alert-sinks"]({}, {} as never) as { sinks: { name: string }[] };
    expect(sinks.map(({ name }) => name)).toEqual(["slack-1", "slack-2", "alertmanager"]);
    await module.stop();
  });

  it("begin with the log: each message is one line, with what tells its episode", async () => {
    const { log, entries } = recordingLog();
    const clock = new ManualClock();
    const config = resolveConfig({}, { CONTINUUM_HOME: "/home/of/core" });
    const module = createAlertSinksModule({
      sinks: createAlertSinks(config, { clock, log, env: {} }),
      clock,
      log,
      openMessages: () => [],
    });
    expect(module.tickIntervalMs).toBeNull();
    module.onEvent(event);
    await clock.advance(0);
    expect(entries).toMatchObject([{ level: 30, msg: event.data.text, episodeId: "e1", kind: "fired" }]);
  });
});

describe("what waits at a core's end", () => {
  it("is kept apart for each sink, also of one origin, but for the log; what no sink waits for goes", async () => {
    const documents = new Map<string, unknown>([["ntfy https://gone", []]]);
    const { log, entries } = recordingLog();
    const clock = new ManualClock();
    const got: string[] = [];
    const start = async (deliver: (name: string) => Promise<void>): Promise<void> => {
      const module = createAlertSinksModule({
        sinks: (["log", "slack", "slack"] as const).map((kind, i) => ({
          ...sink(kind, () => deliver(`${kind}-${i}`)),
          target: "https://hooks",
        })),
        clock,
        log,
        openMessages: () => [],
        store: {
          load: () => new Map(documents),
          put: (key, value) => (value === null ? documents.delete(key) : documents.set(key, value)),
          isDurable: () => true,
        },
      });
      const { signal } = new AbortController();
      await module.start({ log, clock, events: new EventBus(log), signal });
      if (got.length === 0) module.onEvent(event);
      await clock.advance(0);
    };
    await start((name) => {
      got.push(name);
      return name === "slack-1" ? arrived() : Promise.reject(new SinkError("unavailable", "away"));
    });
    expect([...documents.keys()]).toEqual(["slack https://hooks 2"]);
    expect(entries).toContainEqual(
      expect.objectContaining({
        msg: "alerts that waited for ntfy https://gone are dropped: there is no such sink any more",
      }),
    );
    await start((name) => {
      got.push(name);
      return arrived();
    });
    expect(got).toEqual(["log-0", "slack-1", "slack-2", "slack-2"]);
    expect(documents.size).toBe(0);
  });
});

describe("the secret of json webhooks", () => {
  const KEY = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const create = (env: Record<string, string>): readonly AlertSink[] =>
    createAlertSinks(
      resolveConfig(
        {},
        { CONTINUUM_HOME: "/h", CONTINUUM_ALERT_WEBHOOKS: "json=http://127.0.0.1:1/x", ...env },
      ),
      { clock: new ManualClock(), log: recordingLog().log, env: {} },
    );

  it("comes from a variable or a file", async () => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "secret");
    await writeFile(file, `${KEY}\n`);
    expect(create({ CONTINUUM_ALERT_SECRET: KEY })).toHaveLength(2);
    expect(create({ CONTINUUM_ALERT_SECRET_FILE: file })).toHaveLength(2);
    await writeFile(file, "short");
    expect(() => create({ CONTINUUM_ALERT_SECRET_FILE: file })).toThrow(/holds no usable secret/u);
    expect(() => create({ CONTINUUM_ALERT_SECRET_FILE: `${file}-missing` })).toThrow(
      /can't be read: ENOENT/u,
    );
  });

  it("must be there, be usable, and is in no message", () => {
    expect(() => create({})).toThrow(expect.objectContaining({ code: "usage" }) as Error);
    expect(() => create({})).toThrow(/CONTINUUM_ALERT_SECRET/u);
    expect(() => create({ CONTINUUM_ALERT_SECRET: "hunter2" })).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.not.stringContaining("hunter2") as string,
      }) as Error,
    );
  });
});
