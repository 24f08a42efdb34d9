import { describe, expect, it } from "vitest";
import { createLoopSpin } from "./index.js";
import { LoopSpin, type LoopSpinPort } from "./loop-spin.js";

/** A machine in which time passes only as the test says, and a poll takes 1 µs. */
class TestMachine implements LoopSpinPort {
  ms = 0;
  spare = true;
  looks = 0;
  polls = 0;
  #deferred: (() => void) | null = null;

  nowMs(): number {
    return this.ms;
  }

  defer(run: () => void): void {
    this.#deferred = run;
  }

  hasSpareProcessor(): boolean {
    this.looks += 1;
    return this.spare;
  }

  /** Lets time pass while the loop polls as long as somebody asks it to; gives whether it polled to the end. */
  pass(ms: number): boolean {
    const untilMs = this.ms + ms;
    while (this.#deferred !== null && this.ms + 0.001 <= untilMs) {
      const run = this.#deferred;
      this.#deferred = null;
      this.ms += 0.001;
      this.polls += 1;
      run();
    }
    this.ms = untilMs;
    return this.#deferred !== null;
  }
}

/** Messages that take `spunMs` while the loop polls to the end, and `plainMs` otherwise; gives how many were polled for. */
function run(machine: TestMachine, spin: LoopSpin, count: number, spunMs: number, plainMs: number): number {
  let polledFor = 0;
  for (let i = 0; i < count; i += 1) {
    const { polls } = machine;
    spin.begin();
    if (!machine.pass(spunMs)) machine.pass(plainMs - spunMs);
    if (machine.polls > polls) polledFor += 1;
    spin.end();
    machine.pass(0.002);
  }
  return polledFor;
}

const WINDOW = 4_096;

describe("LoopSpin", () => {
  it("goes on while messages come sooner, but for the few that it compares with", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    const polledFor = run(machine, spin, 10 * WINDOW, 0.01, 0.045);
    expect(spin.isPaused).toBe(false);
    expect(polledFor).toBe(10 * (WINDOW - 32));
  });

  it("polls for at most 50 µs without a message", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    run(machine, spin, 32, 0.01, 0.045);
    spin.begin();
    const { polls } = machine;
    expect(machine.pass(10)).toBe(false);
    expect(machine.polls - polls).toBeGreaterThan(45);
    expect(machine.polls - polls).toBeLessThanOrEqual(51);
  });

  it("polls for a few times what messages take, and longer again once that is too short", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    run(machine, spin, 500, 0.008, 0.045);
    spin.begin();
    let { polls } = machine;
    machine.pass(10);
    expect(machine.polls - polls).toBeGreaterThan(20);
    expect(machine.polls - polls).toBeLessThan(30);
    spin.end();
    ({ polls } = machine);
    const polledFor = run(machine, spin, 1_000, 0.04, 0.08);
    // Two or three misses, and what is sat out after them.
    expect(polledFor).toBeGreaterThan(980);
  });

  it("starts again with each message that is sent", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    run(machine, spin, 32, 0.01, 0.045);
    for (let i = 0; i < 5; i += 1) {
      spin.begin();
      expect(machine.pass(0.04)).toBe(true);
    }
    expect(machine.pass(1)).toBe(false);
  });

  it("sits out more and more waits where messages come too late for it", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    const polledFor = run(machine, spin, 3_000, 0.2, 0.2);
    // 1, 3, 7, 15, 31, and then 63 between two.
    expect(polledFor).toBeGreaterThan(40);
    expect(polledFor).toBeLessThan(60);
    expect(run(machine, spin, 500, 0.01, 0.045)).toBeGreaterThan(420);
  });

  it.each([
    ["messages come too late for it", 0.2, 0.2],
    ["waiting is as quick", 0.02, 0.021],
  ])("pauses where %s, twice as long each time, and takes up again what helps", (_why, spunMs, plainMs) => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    let pausesMs: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      run(machine, spin, WINDOW, spunMs, plainMs);
      expect(spin.isPaused).toBe(true);
      expect(run(machine, spin, 1, spunMs, plainMs)).toBe(0);
      const startedMs = machine.ms;
      while (spin.isPaused) machine.ms += 1;
      pausesMs = [...pausesMs, Math.round((machine.ms - startedMs) / 100) * 100];
    }
    expect(pausesMs.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(pausesMs.at(-1)).toBe(60_000);
    for (let round = 0; round < 12; round += 1) {
      run(machine, spin, WINDOW, 0.01, 0.045);
      machine.ms += 60_000;
    }
    run(machine, spin, WINDOW, 0.01, 0.045);
    expect(spin.isPaused).toBe(false);
    // It has forgotten how long it paused.
    while (!spin.isPaused) run(machine, spin, WINDOW, spunMs, plainMs);
    machine.ms += 100;
    expect(spin.isPaused).toBe(false);
  });

  it("isn't misled by one window in which waiting happened to be quick", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    run(machine, spin, WINDOW, 0.01, 0.045);
    run(machine, spin, 32, 0.01, 0.01);
    run(machine, spin, WINDOW - 32, 0.01, 0.045);
    expect(spin.isPaused).toBe(false);
  });

  it("doesn't poll while no processor is to spare, and looks again soon", () => {
    const machine = new TestMachine();
    machine.spare = false;
    const spin = new LoopSpin(machine);
    expect(run(machine, spin, 1_000, 0.01, 0.045)).toBe(0);
    expect(machine.looks).toBeLessThan(15);
    machine.spare = true;
    machine.ms += 5;
    expect(run(machine, spin, 100, 0.01, 0.045)).toBeGreaterThan(60);
    machine.spare = false;
    machine.ms += 100;
    expect(run(machine, spin, 100, 0.01, 0.045)).toBe(0);
  });

  it("ignores what comes unasked", () => {
    const machine = new TestMachine();
    const spin = new LoopSpin(machine);
    for (let i = 0; i < 100; i += 1) spin.end();
    expect(run(machine, spin, 32, 0.01, 0.045)).toBe(0);
    expect(run(machine, spin, 32, 0.01, 0.045)).toBe(32);
  });
});

describe("createLoopSpin", () => {
  it("lets the process be idle once nothing came", async () => {
    const spin = createLoopSpin();
    for (let i = 0; i < 100; i += 1) {
      spin.begin();
      await new Promise((resolve) => setImmediate(resolve));
      spin.end();
    }
    spin.begin();
    while (process.getActiveResourcesInfo().includes("Immediate")) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(spin.isPaused).toBe(false);
  });
});
