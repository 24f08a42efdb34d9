import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findFilesInUse, parseLockedInodes, parseMappedInodes, toDevice } from "./files-in-use.js";
import { makeFile, tempDirectory } from "./testing/cache-fixtures.js";

it("reads mapped files of one device, and locked ones", () => {
  const maps = [
    "7f00-7f10 r--p 00000000 08:01 4711                       /srv/hub/with blank.bin",
    "7f10-7f20 rw-p 00000000 00:00 0                          [heap]",
    "7f20-7f30 r--s 00000000 103:02 99                        /other/disk",
  ].join("\n");
  expect(parseMappedInodes(maps, toDevice(8, 1))).toEqual([4711]);
  expect(parseMappedInodes(maps, toDevice(0x103, 2))).toEqual([99]);
  const locks =
    "1: FLOCK  ADVISORY  WRITE 12 08:01:123456 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 13 08:01:123456 0 EOF\n";
  expect(parseLockedInodes(locks)).toEqual([123456, 123456]);
});

it("encodes device numbers as stat does", async () => {
  const { rdev } = await lstat("/dev/null");
  expect(toDevice(1, 3)).toBe(rdev);
  expect(toDevice(259, 300)).toBe(259 * 256 + (300 % 256) + 2 ** 20);
});

it.skipIf(process.platform !== "linux")(
  "finds what another process has open, and where it works",
  async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "dir/file", 10, 0);
    const { dev, ino } = await lstat(join(temp.path, "dir/file"));
    const child = spawn("tail", ["-f", join(temp.path, "dir/file")], {
      cwd: join(temp.path, "dir"),
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      const { inodes, complete } = await findFilesInUse(dev, new AbortController().signal);
      expect(complete).toBe(true);
      expect(inodes.has(ino)).toBe(true);
      expect(inodes.has((await lstat(join(temp.path, "dir"))).ino)).toBe(true);
    } finally {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    expect((await findFilesInUse(dev, new AbortController().signal)).inodes.has(ino)).toBe(false);
  },
);
