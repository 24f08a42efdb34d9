import { expect, test } from "vitest";
import { findMounts } from "./destroy-lab.js";

const line = (mountPoint: string) => `74 49 0:39 / ${mountPoint} rw,relatime - ext4 /dev/loop0 rw`;

test("mounts at and below the directory, the newest first, and nobody else's", () => {
  const mountInfo = [
    line("/"),
    line("/tmp/lab-a/mnt"),
    line("/tmp/lab-a/mnt/data"),
    line("/tmp/lab-ab/mnt"),
    line("/tmp/lab-a/with\\040space"),
    "",
  ].join("\n");
  expect(findMounts("/tmp/lab-a", mountInfo)).toEqual([
    "/tmp/lab-a/with space",
    "/tmp/lab-a/mnt/data",
    "/tmp/lab-a/mnt",
  ]);
});
