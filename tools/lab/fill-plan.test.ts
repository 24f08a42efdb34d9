import { describe, expect, test } from "vitest";
import type { DfReading } from "./df-reading.js";
import { nextFillBytes } from "./fill-plan.js";

const MIB = 2 ** 20;

function reading(usedBytes: number, capacityBytes: number): DfReading {
  return {
    usedBytes,
    capacityBytes,
    availableBytes: capacityBytes - usedBytes,
    pressure: usedBytes / capacityBytes,
  };
}

describe("nextFillBytes", () => {
  test("nothing once the ratio is reached, exactly or over", () => {
    expect(nextFillBytes(reading(900 * MIB, 1000 * MIB), 0.9, 50 * MIB)).toBeNull();
    expect(nextFillBytes(reading(950 * MIB, 1000 * MIB), 0.9, 50 * MIB)).toBeNull();
  });

  test("whole images while there is room for more than one and a half", () => {
    expect(nextFillBytes(reading(0, 1000 * MIB), 0.9, 50 * MIB)).toBe(50 * MIB);
    expect(nextFillBytes(reading(825 * MIB, 1000 * MIB), 0.9, 50 * MIB)).toBe(50 * MIB);
  });

  test("then one image of all that is missing", () => {
    expect(nextFillBytes(reading(826 * MIB, 1000 * MIB), 0.9, 50 * MIB)).toBe(74 * MIB);
    expect(nextFillBytes(reading(899 * MIB, 1000 * MIB), 0.9, 50 * MIB)).toBe(1 * MIB);
  });

  test("the last megabytes stay free, whatever the ratio", () => {
    expect(nextFillBytes(reading(900 * MIB, 1000 * MIB), 0.999, 200 * MIB)).toBe(96 * MIB);
    expect(nextFillBytes(reading(996 * MIB, 1000 * MIB), 0.999, 200 * MIB)).toBeNull();
  });

  test("from any start to any ratio it lands within half a point and never runs out of space", () => {
    const overheadBytes = 120_000;
    for (const capacityBytes of [200 * MIB, 906 * MIB, 10_000 * MIB]) {
      for (const ratio of [0.1, 0.5, 0.805, 0.9, 0.97]) {
        for (const imageBytes of [3 * MIB, 48 * MIB]) {
          let usedBytes = 24_576;
          for (let images = 0; images < 4000; images++) {
            const bytes = nextFillBytes(reading(usedBytes, capacityBytes), ratio, imageBytes);
            if (bytes === null) break;
            usedBytes += bytes + overheadBytes;
          }
          expect(usedBytes / capacityBytes).toBeGreaterThanOrEqual(ratio);
          expect(usedBytes / capacityBytes).toBeLessThan(ratio + 0.005);
        }
      }
    }
  });
});
