import { describe, expect, it } from "vitest";
import { formatTestTotals, sumTestTotals, toTestTotals, type VitestReport } from "./test-totals.js";

const green: VitestReport = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 0,
  success: true,
  testResults: [{ name: "a.test.ts", status: "passed", message: "", assertionResults: [{}, {}, {}] }],
};

describe("test totals", () => {
  it("adds up over suites", () => {
    const totals = sumTestTotals([
      toTestTotals(green),
      toTestTotals({ ...green, numFailedTests: 2, success: false }),
    ]);
    expect(totals).toEqual({ passed: 6, failed: 2, skipped: 2 });
    expect(formatTestTotals(totals)).toBe("6 passed, 2 failed, 2 skipped");
  });

  it("names skipped tests only where there are any", () => {
    expect(formatTestTotals({ passed: 1, failed: 0, skipped: 0 })).toBe("1 passed, 0 failed");
  });

  it("counts a suite that broke before its first test", () => {
    const broken = { name: "b.test.ts", status: "failed", message: "boom", assertionResults: [] };
    expect(toTestTotals({ ...green, success: false, testResults: [broken] }).failed).toBe(1);
  });

  it("counts a missing report and an unhandled error as a failure", () => {
    expect(toTestTotals(null).failed).toBe(1);
    expect(toTestTotals({ ...green, success: false }).failed).toBe(1);
  });
});
