import { describe, expect, it } from "vitest";
import { IpcLoad } from "./ipc-load.js";

const limits = { maxInFlight: 100, maxInFlightTotal: 40, maxQueuedBytes: 1000 };

function loadOf(inFlight: number, queuedBytes = 0): IpcLoad {
  const load = new IpcLoad(limits);
  for (let index = 0; index < inFlight; index += 1) load.begin();
  load.charge(queuedBytes);
  return load;
}

describe("the load of all connections", () => {
  it("keeps a share for those who ask for little, and always tells how the core is", () => {
    const load = loadOf(30);
    expect(load.refusal("x", 4)).toMatch(/30 requests are in flight over all/u);
    expect(load.refusal("x", 3)).toBeNull();
    for (let index = 0; index < 10; index += 1) load.begin();
    expect(load.refusal("x", 0)).toMatch(/40 requests/u);
    expect(load.refusal("health-check", 4)).toBeNull();
    load.end(20);
    expect(load.refusal("x", 50)).toBeNull();
    expect(load.toMetrics()).toMatchObject({ inFlight: 20, overloadedRequests: 2 });
  });

  it("bounds each connection, whatever it asks", () => {
    expect(loadOf(0).refusal("health-check", 100)).toMatch(/100 requests are in flight on this connection/u);
  });

  it("holds too much in those who hold more than an equal share of it", () => {
    const load = loadOf(0, 1001);
    load.connections = 10;
    expect(load.isTooMuch(101)).toBe(true);
    expect(load.isTooMuch(100)).toBe(false);
    expect(load.refusal("x", 4)).toMatch(/1001 bytes/u);
    expect(load.refusal("x", 0)).toBeNull();
    load.charge(-1);
    expect(load.isTooMuch(900)).toBe(false);
  });
});
