import { describe, expect, it } from "vitest";
import { readKernelUnits } from "./kernel-units.js";
import { parseProcessStat, readProcessTable } from "./process-table.js";

const units = { pageBytes: 4096, ticksPerSecond: 100 };
const stat = (name: string) =>
  `42 (${name}) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1000 999999 300 18446744073709551615 1 1\n`;

describe("parseProcessStat", () => {
  it.each(["node", "a b", "weird) (name", "(sd-pam)"])("finds the fields behind the name %j", (name) => {
    expect(parseProcessStat(stat(name), units)).toEqual({
      pid: 42,
      name,
      cpuSeconds: 3,
      startedSeconds: 10,
      memoryBytes: 300 * 4096,
    });
  });

  it.each(["", "42", "42 (cut", "42 (cut) S 1"])("takes %j for no process", (text) => {
    expect(parseProcessStat(text, units)).toBeNull();
  });
});

describe.runIf(process.platform === "linux")("on this machine", () => {
  it("finds this process with its memory", async () => {
    const table = await readProcessTable(await readKernelUnits());
    const self = table.find(({ pid }) => pid === process.pid);
    const expected = process.memoryUsage().rss;
    expect(self?.memoryBytes).toBeGreaterThan(expected / 2);
    expect(self?.memoryBytes).toBeLessThan(expected * 2);
    expect(self?.cpuSeconds).toBeGreaterThan(0);
  });
});
