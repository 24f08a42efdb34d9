import { expect, test } from "vitest";
import { parseDf } from "./df-reading.js";

test("capacity is what df calculates its percentage from: used + available", () => {
  expect(parseDf("     Used     Avail\n 250 750\n")).toEqual({
    usedBytes: 250,
    availableBytes: 750,
    capacityBytes: 1000,
    pressure: 0.25,
  });
});

test("an empty filesystem has no pressure", () => {
  expect(parseDf("Used Avail\n0 0\n").pressure).toBe(0);
});

test.each(["", "Used Avail\n", "Used Avail\n- -\n"])("%j is refused", (output) => {
  expect(() => parseDf(output)).toThrow("df answered something else");
});
