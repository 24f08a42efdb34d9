import type { AlertMessage } from "@continuum/wire-types";
import { expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { createAlertSinksModule } from "../modules/alert-sinks-module.js";

const MESSAGE: AlertMessage = {
  episodeId: "e1",
  kind: "fired",
  alert: { tierName: "docker", pressure: 0.97, tier: "critical", bytesFreed: 0, actionTaken: false, atMs: 1 },
  startedAtMs: 1,
  endedAtMs: null,
  highestTier: "critical",
  timeToFullMs: null,
  biggestConsumer: null,
  nextCommand: "continuum plan",
  messageCount: 1,
  text: "📢 PressureAlert tier=docker state=fired",
};

it("logs each alert message once, with what tells its episode", () => {
  const { log, entries } = recordingLog();
  createAlertSinksModule(log).onEvent({ name: "alert-message", data: MESSAGE });
  expect(entries).toHaveLength(1);
  expect(entries[0]).toMatchObject({ level: 30, msg: MESSAGE.text, episodeId: "e1", kind: "fired" });
});
