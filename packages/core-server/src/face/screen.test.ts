import { ManualClock } from "@continuum/broker-core/testing";
import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { describe, expect, it } from "vitest";
import { createLiveScreen, createPlainScreen } from "./screen.js";

function recording() {
  const stream = new PassThrough();
  const terminal = Object.assign(stream, { isTTY: true, columns: 80, rows: 24 }) as unknown as WriteStream;
  return { terminal, text: () => String(stream.read() ?? "") };
}

describe("a live screen", () => {
  it("draws its status at most once a second, and not when nothing changes", async () => {
    const { terminal, text } = recording();
    const clock = new ManualClock();
    let drawn = 0;
    const screen = createLiveScreen({ stream: terminal, clock, status: () => [`status ${(drawn += 1)}`] });
    screen.refresh();
    expect(text()).toContain("status 1");
    for (let i = 0; i < 10; i += 1) screen.refresh();
    await clock.advance(999);
    expect(drawn).toBe(1);
    await clock.advance(1);
    expect(text()).toContain("status 2");
    await clock.advance(10_000);
    expect(drawn).toBe(2);
    screen.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it("prints lines above the status", () => {
    const { terminal, text } = recording();
    const screen = createLiveScreen({
      stream: terminal,
      clock: new ManualClock(),
      status: () => ["the status"],
    });
    screen.line("before");
    screen.refresh();
    text();
    screen.line("news");
    const after = text();
    expect(after.indexOf("news\n")).toBeGreaterThan(-1);
    expect(after.indexOf("the status")).toBeGreaterThan(after.indexOf("news\n"));
    screen.close();
  });
});

describe("a plain screen", () => {
  it("prints lines and nothing else", () => {
    const stream = new PassThrough();
    const screen = createPlainScreen(stream);
    screen.line("one");
    screen.refresh();
    screen.close();
    expect(String(stream.read())).toBe("one\n");
  });
});
