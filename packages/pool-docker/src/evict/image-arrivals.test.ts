import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostFiles } from "../probe/host-files.js";
import { ImageArrivals } from "./image-arrivals.js";

const hex = "a".repeat(64);
const id = `sha256:${hex}`;

describe("ImageArrivals", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "arrivals-"));
  });
  afterEach(() => rm(root, { recursive: true }));
  const info = () => ({ DockerRootDir: root, Driver: "overlay2", DriverStatus: null });

  it("reads it off the graph driver's database", async () => {
    const dir = join(root, "image/overlay2/imagedb/content/sha256");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, hex), "{}");
    await utimes(join(dir, hex), 1_000, 1_000);
    const arrivals = new ImageArrivals(hostFiles);
    expect(await arrivals.arrivedAt({ id, taggedAtMs: null }, info(), 5_000_000)).toBe(1_000_000);
  });

  it("counts from when an image was first seen where that can't be read", async () => {
    const arrivals = new ImageArrivals(hostFiles);
    expect(await arrivals.arrivedAt({ id, taggedAtMs: null }, info(), 5_000)).toBe(5_000);
    expect(await arrivals.arrivedAt({ id, taggedAtMs: null }, info(), 9_000)).toBe(5_000);
    expect(await arrivals.arrivedAt({ id, taggedAtMs: 1 }, info(), 9_000)).toBeNull();
    arrivals.keepOnly(new Set());
    expect(await arrivals.arrivedAt({ id, taggedAtMs: null }, info(), 9_000)).toBe(9_000);
  });
});
