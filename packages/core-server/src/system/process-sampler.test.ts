import { describe, expect, it } from "vitest";
import { ProcessSampler } from "./process-sampler.js";
import type { ProcessSample } from "./process-table.js";

function setUp() {
  const world = { nowMs: 1_000_000, uptimeSeconds: 1000, reads: 0, table: [] as ProcessSample[] };
  const sampler = new ProcessSampler({
    readTable: () => {
      world.reads += 1;
      return Promise.resolve(world.table);
    },
    uptimeSeconds: () => world.uptimeSeconds,
    monotonicMs: () => world.nowMs,
  });
  return { world, sampler };
}

const sample = (pid: number, cpuSeconds: number, memoryBytes = 0, startedSeconds = 900): ProcessSample => ({
  pid,
  name: `p${pid}`,
  cpuSeconds,
  startedSeconds,
  memoryBytes,
});

describe("ProcessSampler", () => {
  it("tells the average since the start first, and then what lies between two samples", async () => {
    const { world, sampler } = setUp();
    world.table = [sample(1, 50), sample(2, 10)];
    expect((await sampler.top(10)).byCpu.map(({ cpuUsage }) => cpuUsage)).toEqual([0.5, 0.1]);
    world.nowMs += 2000;
    world.table = [sample(1, 50), sample(2, 13)];
    await sampler.tick();
    expect((await sampler.top(10)).byCpu.map(({ pid, cpuUsage }) => [pid, cpuUsage])).toEqual([
      [2, 1.5],
      [1, 0],
    ]);
  });

  it("reads the processes once for all who ask meanwhile, and again after a reading that failed", async () => {
    let reads = 0;
    let fail: (error: Error) => void = () => undefined;
    const reading = new Promise<ProcessSample[]>((_, reject) => (fail = reject));
    const sampler = new ProcessSampler({
      readTable: () => {
        reads += 1;
        return reads === 1 ? reading : Promise.resolve([sample(1, 50)]);
      },
      uptimeSeconds: () => 1000,
      monotonicMs: () => 1_000_000,
    });
    const asked = [sampler.top(1), sampler.top(5), sampler.tick()];
    expect(reads).toBe(1);
    fail(new Error("no /proc"));
    for (const { status } of await Promise.allSettled(asked)) expect(status).toBe("rejected");
    expect((await sampler.top(1)).byCpu).toMatchObject([{ pid: 1 }]);
    expect(reads).toBe(2);
  });

  it("asked again before a tick came, it takes the second sample itself", async () => {
    const { world, sampler } = setUp();
    world.table = [sample(1, 50)];
    await sampler.top(1);
    world.nowMs += 2500;
    world.table = [sample(1, 55)];
    expect((await sampler.top(1)).byCpu).toMatchObject([{ cpuUsage: 0.5 }]);
    world.nowMs += 2500;
    world.table = [sample(1, 60)];
    expect((await sampler.top(1)).byCpu).toMatchObject([{ cpuUsage: 2 }]);
  });

  it("doesn't take a new process for the old one of the same pid", async () => {
    const { world, sampler } = setUp();
    world.table = [sample(1, 50)];
    await sampler.top(1);
    world.nowMs += 2000;
    world.uptimeSeconds += 2;
    world.table = [sample(1, 1, 0, 1000)];
    await sampler.tick();
    expect((await sampler.top(1)).byCpu).toEqual([{ pid: 1, name: "p1", cpuUsage: 0.5, memoryBytes: 0 }]);
  });

  it("gives the topN of each order", async () => {
    const { world, sampler } = setUp();
    world.table = [sample(1, 1, 30), sample(2, 2, 20), sample(3, 3, 10)];
    const { byCpu, byMemory } = await sampler.top(2);
    expect(byCpu.map(({ pid }) => pid)).toEqual([3, 2]);
    expect(byMemory.map(({ pid }) => pid)).toEqual([1, 2]);
  });

  it("reads nothing on a tick while nobody asks", async () => {
    const { world, sampler } = setUp();
    await sampler.tick();
    expect(world.reads).toBe(0);
    await sampler.top(1);
    world.nowMs += 59_000;
    await sampler.tick();
    expect(world.reads).toBe(2);
    world.nowMs += 2000;
    await sampler.tick();
    expect(world.reads).toBe(2);
  });
});
