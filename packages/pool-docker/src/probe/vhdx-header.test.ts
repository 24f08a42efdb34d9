import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32c, readVhdxDiskBytes } from "./vhdx-header.js";

/** Made by `qemu-img create -f vhdx disk.vhdx 68719476736`: a dynamic disk of 64 GiB, 8 MiB long. */
const disk = gunzipSync(readFileSync(join(import.meta.dirname, "fixtures/dynamic-64gib.vhdx.gz")));
const GIB_64 = 64 * 2 ** 30;
const read = (bytes: Uint8Array) => (offset: number, length: number) =>
  Promise.resolve(bytes.subarray(offset, offset + length));
const REGION_TABLE = 192 * 1024;
const SECOND_TABLE = 256 * 1024;

describe("readVhdxDiskBytes", () => {
  it("reads the size of the disk from a real header", async () => {
    expect(await readVhdxDiskBytes(read(disk))).toBe(GIB_64);
  });

  it("goes by the second region table where the first is damaged", async () => {
    const damaged = Buffer.from(disk);
    damaged[REGION_TABLE + 20] = (damaged[REGION_TABLE + 20] ?? 0) ^ 0xff;
    expect(await readVhdxDiskBytes(read(damaged))).toBe(GIB_64);
    damaged[SECOND_TABLE + 20] = (damaged[SECOND_TABLE + 20] ?? 0) ^ 0xff;
    await expect(readVhdxDiskBytes(read(damaged))).rejects.toMatchObject({ code: "protocol" });
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["another kind of file", Buffer.from("conectix".repeat(100_000))],
    ["cut off after the header", disk.subarray(0, 300_000)],
    ["cut off in its metadata", disk.subarray(0, 2 * 1024 * 1024)],
  ])("refuses a file that is %s", async (_what, bytes) => {
    await expect(readVhdxDiskBytes(read(bytes))).rejects.toMatchObject({ code: "protocol" });
  });

  it("gives the right size or none, whatever byte of its tables is wrong", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat({ max: 7 }), fc.integer({ min: REGION_TABLE, max: SECOND_TABLE + 65_535 })),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = Buffer.from(disk);
          damaged[at] = (damaged[at] ?? 0) ^ flip;
          const found = await readVhdxDiskBytes(read(damaged)).catch((error: unknown) => {
            expect(error).toMatchObject({ code: "protocol" });
            return null;
          });
          if (found !== null) expect(found).toBe(GIB_64);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("knows the checksum's own test value", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  });
});
