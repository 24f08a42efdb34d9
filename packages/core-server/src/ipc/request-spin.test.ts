import { describe, expect, it } from "vitest";
import { RequestSpin } from "./request-spin.js";

/** Time passes only as the test says; a poll takes 5 µs. */
function setUp() {
  const machine = { ms: 0, polls: 0, spare: true };
  const queue: (() => void)[] = [];
  const spin = new RequestSpin({
    nowMs: () => machine.ms,
    defer: (run) => void queue.push(run),
    hasSpareProcessor: () => machine.spare,
  });
  const pass = (ms: number, pollMs = 0.005): void => {
    const untilMs = machine.ms + ms;
    while (queue.length > 0 && machine.ms + pollMs <= untilMs) {
      machine.ms += pollMs;
      machine.polls += 1;
      queue.shift()?.();
    }
    machine.ms = untilMs;
  };
  /** Requests that come so long after each reply. */
  const serve = (count: number, afterMs: number, pollMs?: number): void => {
    for (let i = 0; i < count; i += 1) {
      spin.begin();
      pass(afterMs, pollMs);
      spin.end();
    }
  };
  return { machine, serve };
}

describe("RequestSpin", () => {
  it("polls while requests follow closely, however long", () => {
    const { machine, serve } = setUp();
    serve(1_000, 0.02);
    expect(machine.polls).toBeGreaterThan(3_000);
  });

  it("stops polling after 50 µs", () => {
    const { machine, serve } = setUp();
    serve(1, 10);
    expect(machine.polls).toBeLessThanOrEqual(12);
  });

  it.each([
    ["requests come later", 1, undefined],
    ["the processor is taken away", 2, 0.7],
  ])("pauses where %s, and tries again after a second, then after two", (_why, afterMs, pollMs) => {
    const { machine, serve } = setUp();
    serve(64, afterMs, pollMs);
    const paused = machine.polls;
    serve(100, afterMs, pollMs);
    expect(machine.polls).toBe(paused);
    machine.ms += 1_000;
    serve(64, afterMs, pollMs);
    const again = machine.polls;
    expect(again).toBeGreaterThan(paused);
    machine.ms += 1_000;
    serve(64, afterMs, pollMs);
    expect(machine.polls).toBe(again);
    machine.ms += 60_000;
    serve(1_000, 0.02);
    expect(machine.polls).toBeGreaterThan(again + 3_000);
  });

  it("doesn't poll while no processor is to spare", () => {
    const { machine, serve } = setUp();
    machine.spare = false;
    serve(100, 0.02);
    expect(machine.polls).toBe(0);
  });
});
