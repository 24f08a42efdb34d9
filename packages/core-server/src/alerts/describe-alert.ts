import { type AlertMessage, formatBytes, formatPercent } from "@continuum/wire-types";
import { formatDuration } from "../config/duration.js";
import { saysGone } from "./to-alert-message.js";

/** A message for people, in parts; a sink puts them together as its receiver shows them. */
export interface AlertDescription {
  /** What is the matter, in one line without markup. */
  readonly title: string;
  /** What is known beyond it, a line each. */
  readonly facts: readonly string[];
  /** What takes up most; null when that isn't known. */
  readonly biggest: string | null;
  readonly nextCommand: string;
}

/** Puts a message into words; `instance` says whose it is. */
export function describeAlert(message: AlertMessage, instance: string): AlertDescription {
  const { alert, biggestConsumer, nextCommand } = message;
  return {
    title: toTitle(message, instance),
    facts: toFacts(message),
    biggest:
      biggestConsumer === null
        ? null
        : `${biggestConsumer.kind} ${biggestConsumer.name}, ${formatBytes(biggestConsumer.sizeBytes)}`,
    nextCommand,
  };
  function toTitle({ kind }: AlertMessage, whose: string): string {
    const use = formatPercent(alert.pressure);
    const what = `${alert.tierName} on ${whose}`;
    switch (kind) {
      case "fired":
        return `${what} is ${use} full: ${alert.tier}`;
      case "escalated":
        return `${what} got worse: ${use} full, ${alert.tier}`;
      case "repeated":
        return `${what} is still ${use} full: ${alert.tier}`;
      case "resolved":
        // It didn't get better: nobody knows it any more.
        if (saysGone(message)) return `${what} is gone (its last figure: ${use} full)`;
        return `${what} is calm again: ${use} full`;
    }
  }
}

function toFacts({ alert, kind, timeToFullMs, startedAtMs, endedAtMs }: AlertMessage): string[] {
  const facts: string[] = [];
  if (alert.bytesFreed > 0) facts.push(`freed so far: ${formatBytes(alert.bytesFreed)}`);
  else if (kind !== "resolved") {
    facts.push(alert.actionTaken ? "relief freed nothing" : "no relief was tried");
  }
  if (timeToFullMs !== null) facts.push(`full in about ${formatDuration(Math.max(1_000, timeToFullMs))}`);
  if (endedAtMs !== null && endedAtMs > startedAtMs) {
    facts.push(`it lasted ${formatDuration(endedAtMs - startedAtMs)}`);
  }
  return facts;
}
