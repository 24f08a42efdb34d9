import type { CpuInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { CpuSampler } from "./cpu-sampler.js";

const core = (busyMs: number, idleMs: number): CpuInfo => ({
  model: "",
  speed: 0,
  times: { user: busyMs, nice: 0, sys: 0, irq: 0, idle: idleMs },
});

describe("CpuSampler", () => {
  it("tells what lies between the last two samples", () => {
    let now = [core(100, 900), core(0, 1000)];
    const sampler = new CpuSampler(
      () => 0,
      () => now,
      () => [1.5, 0, 0],
    );
    expect(sampler.usage()).toEqual({
      logicalCores: 2,
      globalUsage: 0.05,
      perCoreUsage: [0.1, 0],
      loadAverage1m: 1.5,
    });
    now = [core(200, 900), core(50, 1050)];
    sampler.sample();
    expect(sampler.usage()).toMatchObject({ globalUsage: 0.75, perCoreUsage: [1, 0.5] });
  });

  it("takes a sample itself when the last one is a while ago, but not twice at once", () => {
    let now = [core(0, 0)];
    let nowMs = 1000;
    const sampler = new CpuSampler(
      () => nowMs,
      () => now,
    );
    nowMs = 1500;
    now = [core(100, 300)];
    expect(sampler.usage()).toMatchObject({ perCoreUsage: [0.25] });
    nowMs = 1999;
    now = [core(200, 300)];
    expect(sampler.usage()).toMatchObject({ perCoreUsage: [0.25] });
    nowMs = 2000;
    expect(sampler.usage()).toMatchObject({ perCoreUsage: [1] });
  });

  it("stays within 0 and 1 when counters stand still or go back, and without cores", () => {
    let now = [core(100, 900)];
    const sampler = new CpuSampler(
      () => 0,
      () => now,
      () => [],
    );
    sampler.sample();
    expect(sampler.usage()).toMatchObject({ globalUsage: 0, loadAverage1m: 0 });
    now = [core(50, 2000)];
    sampler.sample();
    expect(sampler.usage()).toMatchObject({ perCoreUsage: [0] });
    now = [];
    sampler.sample();
    expect(sampler.usage()).toMatchObject({ logicalCores: 0, globalUsage: 0 });
  });
});
