import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatPercent,
  formatPressureAlert,
  formatTierRow,
  formatTimeSpan,
  type PressureAlert,
  type TierRow,
  toPrintable,
} from "../index.js";

describe("formatBytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [8_200_000_000, "8.2 GB"],
    [926_000_000_000, "926.0 GB"],
    [2 ** 53 - 1, "9.0 PB"],
  ])("%d is %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("formatPercent", () => {
  it.each([
    [0, "0 %"],
    [0.92, "92 %"],
    [0.9999, "99 %"],
    [1, "100 %"],
    [1.5, "150 %"],
    [0.57, "57 %"],
  ])("%d is %s", (ratio, text) => {
    expect(formatPercent(ratio)).toBe(text);
  });
});

describe("formatPressureAlert", () => {
  const alert: PressureAlert = {
    tierName: "docker",
    tier: "high",
    pressure: 0.92,
    bytesFreed: 8_200_000_000,
    actionTaken: true,
    atMs: 0,
  };
  it("is the contract's one line", () => {
    expect(formatPressureAlert(alert)).toBe(
      "📢 PressureAlert tier=docker severity=high pressure=0.92 freed=8.2GB action=evicted",
    );
    expect(formatPressureAlert({ ...alert, bytesFreed: 0 })).toMatch(/freed=0B action=stuck$/);
    expect(formatPressureAlert({ ...alert, bytesFreed: 0, actionTaken: false })).toMatch(/action=none$/);
  });
});

describe("formatTimeSpan", () => {
  it.each([
    [-1, "0 s"],
    [999, "0 s"],
    [119_999, "119 s"],
    [120_000, "2 min"],
    [7_199_999, "119 min"],
    [7_200_000, "2 h"],
    [172_800_000, "2 d"],
    [315_360_000_000, "3650 d"],
  ])("%i ms is %s", (ms, text) => {
    expect(formatTimeSpan(ms)).toBe(text);
  });
});

describe("formatTierRow", () => {
  const row: TierRow = {
    name: "docker",
    detected: true,
    usedBytes: 1_200_000_000,
    capacityBytes: 2_000_000_000,
    pressure: 0.6,
    tier: "warning",
    trend: null,
  };
  const style = { nameWidth: 8, barWidth: 12, color: false };
  it.each([3, 6, 10, 20, 30])("has a bar of %d columns that is full at 100 % only", (barWidth) => {
    const bar = (pressure: number): string =>
      /\[.*\]/u.exec(formatTierRow({ ...row, pressure }, { ...style, barWidth }))?.[0] ?? "";
    for (const pressure of [0.97, 0.999]) expect(bar(pressure)).toMatch(/-\]$/u);
    for (const pressure of [1, 1.2]) expect(bar(pressure)).toBe(`[${"#".repeat(barWidth - 2)}]`);
  });
  it("shows name, bar, bytes, pressure, severity and trend", () => {
    expect(formatTierRow(row, style)).toBe(
      "docker    [######----]        1.2 GB / 2.0 GB    60 %  warning   –",
    );
    const trend = {
      name: "docker",
      windowMs: 30_000,
      fromPressure: 0.59,
      toPressure: 0.6,
      bytesPerSecond: 1,
    };
    expect(formatTierRow({ ...row, trend }, style)).toMatch(/↗ \+1\.0 % in 30 s$/);
    expect(formatTierRow({ ...row, trend: { ...trend, fromPressure: 0.61 } }, style)).toMatch(
      /↘ -1\.0 % in 30 s$/,
    );
  });
  it("keeps a broken cap visible, with a full bar", () => {
    expect(formatTierRow({ ...row, pressure: 1.5, tier: "critical" }, style)).toMatch(
      /\[##########\].*150 % {2}critical/,
    );
  });
  it("says what really happened in which time, and calls about a minute a minute", () => {
    const trend = {
      name: "docker",
      windowMs: 4_000,
      fromPressure: 0.97,
      toPressure: 0.56,
      bytesPerSecond: -1,
    };
    expect(formatTierRow({ ...row, trend }, style)).toMatch(/↘ -41\.0 % in 4 s$/);
    expect(formatTierRow({ ...row, trend: { ...trend, windowMs: 58_000 } }, style)).toMatch(/% in 1 min$/);
  });
  it("gets shorter on a narrow terminal: the trend goes first, then the bytes", () => {
    const narrow = { ...style, barWidth: 0, maxWidth: 50 };
    expect(formatTierRow(row, narrow)).toBe("docker          1.2 GB / 2.0 GB    60 %  warning");
    expect(formatTierRow(row, { ...narrow, maxWidth: 30 })).toBe("docker      60 %  warning");
  });
  it("says when it will be full where that is known, and keeps it longer than the bytes", () => {
    const filling = { ...row, timeToFullMs: 2_520_000 };
    expect(formatTierRow(filling, style)).toBe(`${formatTierRow(row, style)}  full in 42 min`);
    expect(formatTierRow({ ...row, timeToFullMs: null }, style)).toBe(formatTierRow(row, style));
    const narrow = { ...style, barWidth: 0, maxWidth: 45 };
    expect(formatTierRow(filling, narrow)).toBe("docker      60 %  warning   full in 42 min");
    expect(formatTierRow(filling, { ...narrow, maxWidth: 30 })).toBe("docker      60 %  warning");
  });
  it("says not detected, never 0 %", () => {
    expect(formatTierRow({ ...row, detected: false }, style)).toBe("docker    not detected");
    expect(formatTierRow({ ...row, usedBytes: 0, capacityBytes: 0, pressure: 0 }, style)).toBe(
      "docker    not detected",
    );
  });
  it("colours only when told to, and only the text", () => {
    const colored = formatTierRow(row, { ...style, color: true });
    expect(colored.replace(/\u001b\[[0-9;]*m/g, "")).toBe(formatTierRow(row, style));
    expect(colored).not.toBe(formatTierRow(row, style));
  });
});

describe("toPrintable", () => {
  it("leaves nothing that steers a terminal, begins a line, or turns the order of reading", () => {
    expect(toPrintable("a\u001b[31mb\r\n\u009bc\u2028d\u202etxt.exe\u2066")).toBe("a [31mb c d txt.exe ");
    expect(toPrintable("größe 📢 👩‍👩‍👧 עברית")).toBe("größe 📢 👩‍👩‍👧 עברית");
  });
});
