import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { alertMessage } from "../testing/alert-message.js";
import { type HttpReceiver, startHttpReceiver } from "../testing/http-receiver.js";
import { createAlertmanagerSink } from "./alertmanager-sink.js";

const START = 1_700_000_000_000;
const signal = new AbortController().signal;
const iso = (ms: number): string => new Date(ms).toISOString();
const high = alertMessage({
  alert: { ...alertMessage().alert, pressure: 0.85, tier: "high" },
  highestTier: "high",
  startedAtMs: START,
});
const critical = alertMessage({ kind: "escalated", messageCount: 2, startedAtMs: START });

function sinkFor(receiver: HttpReceiver, clock: ManualClock) {
  return createAlertmanagerSink({ url: new URL("/prefix/", receiver.url), instance: "build-1", clock });
}

const posted = (receiver: HttpReceiver): unknown => JSON.parse(receiver.received.at(-1)?.body ?? "null");
const severity = (name: string): object => ({
  labels: { alertname: "ContinuumPressure", tier: "docker", severity: name, instance: "build-1" },
});

describe("an Alertmanager", () => {
  it("is told what fires, until when it counts, and what to type", async () => {
    await using receiver = await startHttpReceiver();
    const clock = new ManualClock(START + 10_000);
    await sinkFor(receiver, clock).deliver(high, signal);
    expect(receiver.received[0]?.path).toBe("/prefix/api/v2/alerts");
    expect(posted(receiver)).toEqual([
      {
        ...severity("high"),
        annotations: { summary: high.text, next: "continuum plan" },
        startsAt: iso(START),
        endsAt: iso(START + 10_000 + 240_000),
      },
    ]);
  });

  it("sees the old severity end as the new one begins, and all of them end with the episode", async () => {
    await using receiver = await startHttpReceiver();
    const clock = new ManualClock(START);
    const sink = sinkFor(receiver, clock);
    await sink.deliver(high, signal);
    await clock.advance(60_000);
    await sink.deliver(critical, signal);
    expect(posted(receiver)).toMatchObject([
      { ...severity("high"), startsAt: iso(START), endsAt: iso(START + 60_000) },
      { ...severity("critical"), startsAt: iso(START), endsAt: iso(START + 300_000) },
    ]);
    await clock.advance(60_000);
    await sink.refresh?.([critical], signal);
    expect(posted(receiver)).toMatchObject([{ ...severity("critical"), endsAt: iso(START + 360_000) }]);
    const endedAtMs = START + 130_000;
    await sink.deliver(
      { ...critical, kind: "resolved", endedAtMs, alert: { ...critical.alert, tier: "normal" } },
      signal,
    );
    expect(posted(receiver)).toMatchObject([{ ...severity("critical"), endsAt: iso(endedAtMs) }]);
  });

  it("is told again to end what it may have got in an attempt that failed", async () => {
    await using receiver = await startHttpReceiver();
    const clock = new ManualClock(START);
    const sink = sinkFor(receiver, clock);
    receiver.answer = (response) => response.writeHead(500).end();
    await expect(sink.deliver(high, signal)).rejects.toMatchObject({ code: "unavailable" });
    await expect(sink.deliver(critical, signal)).rejects.toMatchObject({ code: "unavailable" });
    receiver.answer = (response) => response.writeHead(200).end();
    await sink.refresh?.([critical], signal);
    expect(posted(receiver)).toMatchObject([
      { ...severity("high"), endsAt: iso(START + 1) },
      { ...severity("critical") },
    ]);
  });

  it("hears the end of what only an earlier core told, whatever the wall clock did", async () => {
    await using receiver = await startHttpReceiver();
    const sink = sinkFor(receiver, new ManualClock(START - 3_600_000));
    const resolved = { ...critical, kind: "resolved", endedAtMs: START - 3_600_000 } as const;
    await sink.deliver(resolved, signal);
    expect(posted(receiver)).toMatchObject([
      { ...severity("critical"), startsAt: iso(START), endsAt: iso(START + 1) },
    ]);
    await sink.refresh?.([], signal);
    expect(receiver.received).toHaveLength(1);
  });

  it("is told of many in several requests", async () => {
    await using receiver = await startHttpReceiver();
    const sink = sinkFor(receiver, new ManualClock(START));
    const open = Array.from({ length: 600 }, (_, i) => ({ ...high, episodeId: `e${i}` }));
    await sink.refresh?.(open, signal);
    expect(receiver.received.map(({ body }) => (JSON.parse(body) as unknown[]).length)).toEqual([
      256, 256, 88,
    ]);
  });
});
