import { expect, test } from "vitest";
import { parseSize } from "./parse-size.js";

test.each([
  ["1GiB", 1_073_741_824],
  ["512M", 536_870_912],
  ["1.5GB", 1_500_000_000],
  [" 64 mib ", 67_108_864],
  ["1048576", 1_048_576],
  ["10b", 10],
])("%j is %i bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "GiB", "-1M", "1TiB2", "1e9", "1 parsec", "constructor", "1constructor"])(
  "%j is refused",
  (text) => {
    expect(() => parseSize(text)).toThrow(`"${text}" is not a size`);
  },
);
