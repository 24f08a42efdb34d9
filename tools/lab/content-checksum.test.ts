import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checksumTrees } from "./content-checksum.js";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "content-checksum-test-"));
  mkdirSync(join(dir, "sub"));
  writeFileSync(join(dir, "sub/file"), "content", { mode: 0o644 });
  symlinkSync("sub/file", join(dir, "link"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("the same tree gives the same sum", async () => {
  expect(await checksumTrees([dir])).toBe(await checksumTrees([dir]));
});

test.each([
  ["one byte", () => writeFileSync(join(dir, "sub/file"), "Content")],
  ["a mode", () => chmodSync(join(dir, "sub/file"), 0o600)],
  ["a name", () => renameSync(join(dir, "sub/file"), join(dir, "sub/other"))],
  ["a missing file", () => rmSync(join(dir, "sub/file"))],
  ["one file more", () => writeFileSync(join(dir, "sub/more"), "")],
  [
    "a link's target",
    () => {
      rmSync(join(dir, "link"));
      symlinkSync("elsewhere", join(dir, "link"));
    },
  ],
])("%s changes it", async (_what, change) => {
  const before = await checksumTrees([dir]);
  change();
  expect(await checksumTrees([dir])).not.toBe(before);
});

test("a root that is gone is an error, not an empty tree", async () => {
  await expect(checksumTrees([join(dir, "gone")])).rejects.toThrow("ENOENT");
});
