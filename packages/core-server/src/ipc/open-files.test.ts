import { describe, expect, it } from "vitest";
import { connectionRoom, openFileLimit } from "./open-files.js";

describe("the room for connections", () => {
  it.each([
    [4096, null, 4096],
    [4096, 1_048_576, 4096],
    [10_000, 10_240, 9984],
    [4096, 1024, 768],
    [4096, 256, 128],
  ])("%d wanted with %s files is %d", (wanted, files, room) => {
    expect(connectionRoom(wanted, files)).toBe(room);
  });

  it.runIf(process.platform === "linux")("knows this process's limit", () => {
    expect(openFileLimit()).toBeGreaterThan(0);
  });
});
