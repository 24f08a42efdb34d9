import { ManualClock } from "@continuum/broker-core/testing";
import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { WebhookKind } from "../config/alert-webhooks.js";
import { alertMessage } from "../testing/alert-message.js";
import { type HttpReceiver, startHttpReceiver } from "../testing/http-receiver.js";
import { parseRetryAfter } from "./post-json.js";
import { parseWebhookSecret } from "./sign-webhook.js";
import { createWebhookSink } from "./webhook-sink.js";

const clock = new ManualClock(1_700_000_000_500);
const signal = new AbortController().signal;
const message = alertMessage({
  kind: "escalated",
  messageCount: 2,
  timeToFullMs: 12 * 60_000,
  biggestConsumer: { kind: "image", name: "a<b>&*c* `d` @everyone", sizeBytes: 62_000_000 },
  nextCommand: "continuum usage",
});

function sinkFor(
  receiver: HttpReceiver,
  kind: WebhookKind,
  path = "hooks/s3cret",
  secret: string | null = null,
) {
  return createWebhookSink({
    kind,
    url: new URL(path, receiver.url),
    secret: secret === null ? null : parseWebhookSecret(secret),
    instance: "build-1",
    clock,
  });
}

const bodyOf = (receiver: HttpReceiver): unknown => JSON.parse(receiver.received.at(-1)?.body ?? "null");

describe("a webhook", () => {
  it("of Slack gets its markup, with nothing from outside taken for it", async () => {
    await using receiver = await startHttpReceiver();
    await sinkFor(receiver, "slack").deliver(message, signal);
    expect(receiver.received).toMatchObject([
      { method: "POST", path: "/hooks/s3cret", headers: { "content-type": "application/json" } },
    ]);
    expect(bodyOf(receiver)).toEqual({
      text: [
        "📢 *docker on build-1 got worse: 97 % full, critical*",
        "relief freed nothing",
        "full in about 12m",
        "biggest: `image a&lt;b&gt;&amp;*c* 'd' @everyone, 62.0 MB`",
        "next: `continuum usage`",
      ].join("\n"),
      unfurl_links: false,
      unfurl_media: false,
    });
  });

  it("of Discord mentions nobody, and is never longer than it takes", async () => {
    await using receiver = await startHttpReceiver();
    const sink = sinkFor(receiver, "discord");
    await sink.deliver(message, signal);
    expect(bodyOf(receiver)).toMatchObject({
      content: expect.stringContaining(
        "📢 **docker on build\\-1 got worse\\: 97 % full, critical**\nrelief freed nothing",
      ) as string,
      allowed_mentions: { parse: [] },
    });
    const name = "📢".repeat(3_000);
    await sink.deliver({ ...message, biggestConsumer: { kind: "image", name, sizeBytes: 1 } }, signal);
    const { content } = bodyOf(receiver) as { content: string };
    expect(content.length).toBeLessThanOrEqual(2_000);
    expect(content).not.toMatch(/\p{Cs}/u);
    expect(content.endsWith("…")).toBe(true);
  });

  it("of ntfy goes to the server's root, with topic, title, priority and tags", async () => {
    await using receiver = await startHttpReceiver();
    const sink = sinkFor(receiver, "ntfy", "prefix/my%20topic?auth=abc");
    await sink.deliver(message, signal);
    expect(receiver.received[0]?.path).toBe("/prefix?auth=abc");
    expect(bodyOf(receiver)).toEqual({
      topic: "my topic",
      title: "docker on build-1 got worse: 97 % full, critical",
      message: expect.stringMatching(
        /^relief freed nothing\nfull in about 12m\nbiggest: .*\nnext: continuum usage$/u,
      ) as string,
      priority: 5,
      tags: ["rotating_light"],
    });
    const high = { ...message, alert: { ...message.alert, tier: "high" } };
    await sink.deliver(high, signal);
    expect(bodyOf(receiver)).toMatchObject({ priority: 4, tags: ["warning"] });
    const resolved = { ...message, kind: "resolved", endedAtMs: message.startedAtMs + 3_600_000 } as const;
    await sink.deliver(resolved, signal);
    expect(bodyOf(receiver)).toMatchObject({
      priority: 3,
      tags: ["white_check_mark"],
      title: expect.stringContaining("is calm again: 97 % full") as string,
      message: expect.stringContaining("it lasted 1h") as string,
    });
    // A pool that is gone didn't get better: no check mark.
    const text = "📢 PressureAlert tier=kv freed=0B action=stuck state=resolved reason=gone next=...";
    await sink.deliver({ ...resolved, text }, signal);
    expect(bodyOf(receiver)).toMatchObject({
      priority: 3,
      tags: ["ghost"],
      title: expect.stringContaining("is gone (its last figure: 97 % full)") as string,
    });
    const name = "📢".repeat(5_000);
    await sink.deliver({ ...message, biggestConsumer: { kind: "image", name, sizeBytes: 1 } }, signal);
    expect(Buffer.byteLength((bodyOf(receiver) as { message: string }).message)).toBeLessThanOrEqual(4_096);
  });

  it("of json carries the message, signed as Standard Webhooks says", async () => {
    await using receiver = await startHttpReceiver();
    const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    const sink = sinkFor(receiver, "json", "in", `whsec_${key.toString("base64")}\n`);
    await sink.deliver(message, signal);
    const [got] = receiver.received;
    expect(bodyOf(receiver)).toEqual({
      type: "pressure.escalated",
      timestamp: "2023-11-14T22:13:20.000Z",
      data: { instance: "build-1", ...message },
    });
    // The receiver's side, from the published rules alone.
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = got?.headers ?? {};
    expect([id, at]).toEqual(["e1.2", "1700000000"]);
    const expected = createHmac("sha256", key)
      .update(`e1.2.1700000000.${got?.body ?? ""}`)
      .digest("base64");
    expect(signature).toBe(`v1,${expected}`);
  });

  it("sends a URL's user and password as such, and never shows more of it than its origin", async () => {
    await using receiver = await startHttpReceiver();
    const url = new URL(receiver.url);
    [url.username, url.password, url.pathname] = ["me", "p%40ss", "/s3cret"];
    const sink = createWebhookSink({ kind: "slack", url, secret: null, instance: "x", clock });
    expect(sink.target).toBe(receiver.url.origin);
    await sink.deliver(message, signal);
    const basic = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    expect(receiver.received[0]).toMatchObject({ path: "/s3cret", headers: { authorization: basic } });
  });
});

describe("what a receiver answers", () => {
  it.each([
    [500, {}, "unavailable", null],
    [503, { "retry-after": "30" }, "unavailable", 30_000],
    [429, { "retry-after": "1.5" }, "unavailable", 1_500],
    [408, {}, "unavailable", null],
    [400, { "retry-after": "30" }, "refused", 30_000],
    [404, {}, "refused", null],
    [410, {}, "refused", null],
    [302, { location: "/elsewhere" }, "refused", null],
    [307, { location: "/elsewhere" }, "refused", null],
  ] as const)("%d %j is %s", async (status, headers, code, retryAfterMs) => {
    await using receiver = await startHttpReceiver();
    receiver.answer = (response) => response.writeHead(status, headers).end("no \u001b[2J service");
    const error = await sinkFor(receiver, "slack")
      .deliver(message, signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, retryAfterMs });
    const text = (error as Error).message;
    expect(text).toMatch(new RegExp(`^http://127.0.0.1:\\d+ answered ${status}: no  \\[2J service`, "u"));
    expect(text).not.toContain("s3cret");
    // Nothing was sent anywhere else.
    expect(receiver.received).toHaveLength(1);
  });

  it("may be without end, cut off, or nothing at all", async () => {
    await using receiver = await startHttpReceiver();
    const deliver = () =>
      sinkFor(receiver, "slack")
        .deliver(message, AbortSignal.timeout(5_000))
        .then(
          () => "delivered",
          (error: unknown) => error,
        );
    // Good news needs no reading to the end.
    receiver.answer = (response) => {
      response.writeHead(200);
      const flood = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        response.once("drain", flood);
      };
      flood();
    };
    expect(await deliver()).toBe("delivered");
    receiver.answer = (response) => {
      response.writeHead(500);
      const flood = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        response.once("drain", flood);
      };
      flood();
    };
    const flooded = await deliver();
    expect(flooded).toMatchObject({ code: "unavailable" });
    expect((flooded as Error).message.length).toBeLessThan(300);
    receiver.answer = (response) => response.destroy();
    expect(await deliver()).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("can't be reached") as string,
    });
    receiver.answer = (response) => void response.socket?.write("garbage\r\n\r\n");
    expect(await deliver()).toMatchObject({ code: "unavailable" });
  });

  it("that doesn't come is waited for until the signal aborts", async () => {
    await using receiver = await startHttpReceiver();
    const abort = new AbortController();
    receiver.answer = () => abort.abort();
    await expect(sinkFor(receiver, "json").deliver(message, abort.signal)).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("can't come where nobody listens", async () => {
    const receiver = await startHttpReceiver();
    await receiver[Symbol.asyncDispose]();
    await expect(sinkFor(receiver, "slack").deliver(message, signal)).rejects.toMatchObject({
      code: "unavailable",
      message: `${receiver.url.origin} can't be reached: ECONNREFUSED`,
    });
  });

  it("is given up where its port is one that HTTP is never spoken on", async () => {
    const url = new URL("http://127.0.0.1:6667/s3cret");
    const sink = createWebhookSink({ kind: "json", url, secret: null, instance: "build-1", clock });
    await expect(sink.deliver(message, signal)).rejects.toMatchObject({
      code: "refused",
      message: "http://127.0.0.1:6667: port 6667 is blocked for HTTP",
    });
  });

  it("may name a date to come again", () => {
    const nowMs = Date.UTC(2026, 0, 1);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", nowMs)).toBe(60_000);
    expect(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", nowMs)).toBe(0);
    expect(parseRetryAfter("soon", nowMs)).toBeNull();
    expect(parseRetryAfter(null, nowMs)).toBeNull();
  });
});

describe("a webhook's secret", () => {
  it("is whsec_ and the base64 of 24 to 64 bytes", () => {
    const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
    expect(parseWebhookSecret(of(24))).toHaveLength(24);
    expect(parseWebhookSecret(` ${of(64)}\n`)).toHaveLength(64);
    for (const text of [
      of(23),
      of(65),
      of(32).slice(6),
      "whsec_",
      "whsec_not base64 at all, but long enough",
      "",
    ]) {
      expect(parseWebhookSecret(text)).toBeNull();
    }
  });
});
