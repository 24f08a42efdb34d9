import type { ReliefOutcome } from "@continuum/broker-core";
import { expect, it } from "vitest";
import { resolveConfig } from "../config/resolve-config.js";
import { createLogger } from "../create-logger.js";
import { EventBus } from "../runtime/event-bus.js";
import { attachFace } from "./attach-face.js";

it("what a pool says of itself steers no terminal and is no line of its own", () => {
  const events = new EventBus(createLogger({ level: null, isTerminal: false, writeLine: () => undefined }));
  const lines: string[] = [];
  const screen = {
    line: (text: string) => lines.push(text),
    refresh: () => undefined,
    close: () => undefined,
  };
  const detach = attachFace({ events }, resolveConfig({}, {}), screen);
  const shortfall = "\u001b[2J\u001b]0;title\u0007gone\nall is well\u009b31m \u202etxt";
  const alert = {
    tierName: "kv",
    pressure: 0.97,
    tier: "critical",
    bytesFreed: 0,
    actionTaken: true,
    atMs: 0,
  };
  const outcome: Pick<ReliefOutcome, "alert" | "wouldDelete" | "shortfall" | "error"> = {
    alert,
    wouldDelete: [],
    shortfall,
    error: null,
  };
  events.publish({ name: "relief-outcome", data: outcome as ReliefOutcome });
  detach();
  expect(lines[1]).toBe("hot and stuck: kv:  [2J ]0;title gone all is well 31m  txt");
});
