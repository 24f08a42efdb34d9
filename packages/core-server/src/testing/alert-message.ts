import type { AlertMessage } from "@continuum/wire-types";

/** A message that a test changes where it matters. */
export function alertMessage(change: Partial<AlertMessage> = {}): AlertMessage {
  return {
    episodeId: "e1",
    kind: "fired",
    alert: {
      tierName: "docker",
      pressure: 0.97,
      tier: "critical",
      bytesFreed: 0,
      actionTaken: true,
      atMs: 1_700_000_000_000,
    },
    startedAtMs: 1_700_000_000_000,
    endedAtMs: null,
    highestTier: "critical",
    timeToFullMs: null,
    biggestConsumer: null,
    nextCommand: "continuum plan",
    messageCount: 1,
    text: "📢 PressureAlert tier=docker severity=critical pressure=0.97 freed=0B action=stuck state=fired",
    ...change,
  };
}
