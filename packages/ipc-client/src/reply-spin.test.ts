import { describe, expect, it } from "vitest";
import { ReplySpin, type SpinPort } from "./reply-spin.js";

/** A machine in which time passes only as the test says, and a poll takes 5 µs. */
class TestMachine implements SpinPort {
  ms = 0;
  spare = true;
  polls = 0;
  #deferred: (() => void) | null = null;

  nowMs(): number {
    return this.ms;
  }

  defer(run: () => void): void {
    this.#deferred = run;
  }

  hasSpareProcessor(): boolean {
    return this.spare;
  }

  /** Lets time pass while the loop polls as long as somebody asks it to; gives whether it polled to the end. */
  pass(ms: number, pollMs = 0.005): boolean {
    const untilMs = this.ms + ms;
    while (this.#deferred !== null && this.ms + pollMs <= untilMs) {
      const run = this.#deferred;
      this.#deferred = null;
      this.ms += pollMs;
      this.polls += 1;
      run();
    }
    this.ms = untilMs;
    return this.#deferred !== null;
  }
}

/** Runs requests whose replies take `spunMs` while the loop polls, and `plainMs` otherwise. */
function run(
  machine: TestMachine,
  spin: ReplySpin,
  count: number,
  spunMs: number,
  plainMs: number,
  pollMs?: number,
): void {
  for (let i = 0; i < count; i += 1) {
    spin.begin();
    if (!machine.pass(spunMs, pollMs)) machine.pass(plainMs - spunMs);
    spin.end();
    machine.pass(0.05);
  }
}

describe("ReplySpin", () => {
  it("polls for a reply, and stops after 50 µs without one", () => {
    const machine = new TestMachine();
    const spin = new ReplySpin(machine);
    spin.begin();
    expect(machine.pass(0.04)).toBe(true);
    expect(machine.pass(1)).toBe(false);
    expect(machine.polls).toBeLessThanOrEqual(12);
  });

  it("goes on while it is quicker than waiting", () => {
    const machine = new TestMachine();
    const spin = new ReplySpin(machine);
    run(machine, spin, 5_000, 0.02, 0.1);
    expect(spin.isPaused).toBe(false);
    expect(machine.polls).toBeGreaterThan(5_000);
  });

  it.each([
    ["replies come later than that", 0.2, 0.2, undefined],
    ["waiting is as quick", 0.02, 0.021, undefined],
    ["the processor is taken away", 1.2, 1.3, 0.6],
  ])("pauses where %s, longer each time, and tries again", (_why, spunMs, plainMs, pollMs) => {
    const machine = new TestMachine();
    const spin = new ReplySpin(machine);
    run(machine, spin, 200, spunMs, plainMs, pollMs);
    expect(spin.isPaused).toBe(true);
    const { polls } = machine;
    run(machine, spin, 100, spunMs, plainMs, pollMs);
    expect(machine.polls).toBe(polls);
    machine.ms += 1_000;
    expect(spin.isPaused).toBe(false);
    run(machine, spin, 200, spunMs, plainMs, pollMs);
    machine.ms += 1_000;
    expect(spin.isPaused).toBe(true);
    // Once it helps again, it goes on.
    machine.ms += 60_000;
    run(machine, spin, 1_000, 0.02, 0.1);
    expect(spin.isPaused).toBe(false);
  });

  it("doesn't poll while no processor is to spare", () => {
    const machine = new TestMachine();
    machine.spare = false;
    const spin = new ReplySpin(machine);
    run(machine, spin, 100, 0.02, 0.1);
    expect(machine.polls).toBe(0);
    machine.spare = true;
    machine.ms += 1_000;
    run(machine, spin, 100, 0.02, 0.1);
    expect(machine.polls).toBeGreaterThan(0);
  });
});
