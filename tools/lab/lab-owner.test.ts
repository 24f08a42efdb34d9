import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isOwnerAlive, isStaleLab, parseStartTicks, writeOwner } from "./lab-owner.js";

const stat = (name: string, state: string) =>
  `42 (${name}) ${state} 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 805292 1000 200 0`;

test("the start time stands behind a name that holds spaces and brackets", () => {
  expect(parseStartTicks(stat("a) b (c", "S"))).toBe("805292");
});

test("a zombie has ended", () => {
  expect(parseStartTicks(stat("node", "Z"))).toBeNull();
});

test("a process of the same id with another start time is another process", () => {
  const owner = { pid: 42, startTicks: "805292" };
  expect(isOwnerAlive(owner, () => "805292")).toBe(true);
  expect(isOwnerAlive(owner, () => "999999")).toBe(false);
  expect(isOwnerAlive(owner, () => null)).toBe(false);
});

describe.skipIf(process.platform !== "linux")("isStaleLab", () => {
  let dir = "";
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "lab-owner-test-"))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test("a lab of this process isn't stale", () => {
    writeOwner(dir);
    expect(isStaleLab(dir)).toBe(false);
  });

  test("a lab whose owner's id was used again is", () => {
    writeFileSync(join(dir, "owner.json"), JSON.stringify({ pid: process.pid, startTicks: "1" }));
    expect(isStaleLab(dir)).toBe(true);
  });

  test("a lab without an owner file is only once it is a minute old", () => {
    expect(isStaleLab(dir)).toBe(false);
    const past = Date.now() / 1000 - 61;
    utimesSync(dir, past, past);
    expect(isStaleLab(dir)).toBe(true);
  });

  test("a directory that is gone has nothing to sweep", () => {
    expect(isStaleLab(join(dir, "gone"))).toBe(false);
  });
});
