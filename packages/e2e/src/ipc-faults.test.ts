import { describe, expect, it } from "vitest";
import { FAULTS } from "./support/fault-proxy.js";
import { runFaultStorm, type StormResult } from "./support/fault-storm.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const seeds = isLong ? [1, 2, 3, 4, 5] : [1];
const callsPerClient = isLong ? 5_000 : 300;

/** docs/ipc-faults.md holds the table of the long form. */
describe("faults between a client and its core", () => {
  const rows: string[] = [];

  it.each([...FAULTS.map((fault) => [fault, [fault]] as const), ["all together", FAULTS] as const])(
    "%s: every call ends once, in its own answer or in a typed error",
    async (name, faults) => {
      const results: StormResult[] = [];
      for (const seed of seeds) {
        results.push(await runFaultStorm({ seed, faults, rate: 0.05, clients: 8, callsPerClient }));
      }
      for (const { violations, calls, idempotentFailed } of results) {
        expect(violations).toEqual([]);
        expect(calls).toBe(8 * callsPerClient);
        expect(idempotentFailed).toBe(0);
      }
      const injected = sum(results, (each) => Object.values(each.injected).reduce((a, b) => a + b, 0));
      // A storm without wind proves nothing.
      expect(injected).toBeGreaterThan(5);
      rows.push(
        `| ${name} | ${injected} | ${sum(results, (each) => each.calls)} | ${sum(results, (each) => each.refused)} | 0 |`,
      );
    },
    isLong ? 600_000 : 60_000,
  );

  it("nothing is lost", () => {
    if (isLong)
      console.log(["| fault | injected | calls | typed errors | lost or doubled |", ...rows].join("\n"));
    expect(rows).toHaveLength(FAULTS.length + 1);
  });
});

function sum(results: readonly StormResult[], of: (result: StormResult) => number): number {
  return results.reduce((total, each) => total + of(each), 0);
}
