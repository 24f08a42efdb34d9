import { connectCore } from "@continuum/ipc-client";
import { mkdir, readdir, rm, statfs, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { createLoopDisk, describeWithLoopDisk, type LoopDisk } from "./support/loop-disk.js";

const FILES = ["a", "b", "c"];
const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";

async function addEntries(cache: string, prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    for (const name of FILES) {
      const path = join(cache, `${prefix}-${i}`, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.alloc(300_000, 1));
      await utimes(path, new Date(2020, 0), new Date(2020, 0, 1 + i));
    }
  }
}

const argsOf = (disk: LoopDisk, evict: "on" | "off"): string[] => [
  ...["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "200"],
  ...["--cache-dir", `pkgs=${join(disk.mountPoint, "cache")}`, "--cache-evict", evict],
  ...["--state-dir", join(disk.mountPoint, "state")],
];

async function freeBytes(disk: LoopDisk): Promise<number> {
  // Not bfree: ext4 keeps some for itself that nobody gets, root neither.
  const { bavail, bsize } = await statfs(disk.mountPoint);
  return bavail * bsize;
}

describeWithLoopDisk("a cache on a disk without a free byte", () => {
  it(
    "is relieved, and what went stands in the ledger on the same disk, though not even a name fits in its root",
    { timeout: 120_000 },
    async () => {
      await using disk = await createLoopDisk(48 * 2 ** 20);
      const cache = join(disk.mountPoint, "cache");
      await addEntries(cache, "old", 24);
      {
        // It was here before, and kept some space for its state.
        await using before = await startCore({ args: argsOf(disk, "off") });
        await before.line(/listening/u);
        expect((await before.end()).code).toBe(0);
      }
      await disk.fill();
      expect(await freeBytes(disk)).toBe(0);
      // Empty files until the root would have to grow for one more name: renames into it fail as well then.
      const name = (i: number): string => `young-${i}`.padEnd(56, "x");
      let names = 0;
      const touch = async (): Promise<boolean> => {
        try {
          await writeFile(join(cache, name(names)), "");
          return true;
        } catch (error) {
          if (error instanceof Error && "code" in error && error.code === "ENOSPC") return false;
          throw error;
        }
      };
      while (await touch()) names += 1;

      await using core = await startCore({ args: argsOf(disk, "on") });
      await using client = connectCore({ url: core.url });
      const why = (): string => `${core.stdout()}\n${core.stderr()}`;
      const counted = await until(
        async () => {
          const { pools, bytesFreedTotal } = await client.pressureBrokerState();
          const pressure = pools.find((pool) => pool.name === "cache-pkgs")?.pressure ?? 1;
          return pressure < 0.8 && bytesFreedTotal > 0 ? bytesFreedTotal : undefined;
        },
        60_000,
        why,
      );
      expect(Math.abs((await freeBytes(disk)) - counted)).toBeLessThan(200_000);
      const { records, durable } = await client.cacheEvictHistory({ limit: 1_000 });
      expect(durable).toBe(true);
      const of = (outcome: string): string[] =>
        records.filter((each) => each.outcome === outcome).map(({ key }) => key);
      const left = await readdir(cache);
      const gone = Array.from({ length: 24 }, (_, i) => `old-${i}`).filter((each) => !left.includes(each));
      expect(of("deleted").sort()).toEqual(gone.sort());
      // The first one had no room for a record of its own: it was written down before.
      expect(of("intended")).toContain("old-0");
      expect(left.filter((each) => each.startsWith("."))).toEqual([]);
      expect(left.filter((each) => each.startsWith("young"))).toHaveLength(names);
      expect(core.stderr()).not.toContain('"level":"error"');
    },
  );

  it("holds whole entries after kills at any moment, and nothing else", { timeout: 300_000 }, async () => {
    await using disk = await createLoopDisk(48 * 2 ** 20);
    const cache = join(disk.mountPoint, "cache");
    const rounds = isLong ? 40 : 3;
    for (let round = 0; round < rounds; round += 1) {
      await disk.drain();
      await addEntries(cache, `r${round}`, 6);
      await disk.fill();
      await using core = await startCore({ args: argsOf(disk, "on"), waitUntilUp: false });
      await until(
        async () => ((await freeBytes(disk)) > 0 ? true : undefined),
        60_000,
        () => `nothing is freed\n${core.stderr()}`,
      );
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      await core.end("SIGKILL");
      await using next = await startCore({ args: argsOf(disk, "off") });
      const left = await until(
        async () => {
          const names = await readdir(cache);
          return names.some((name) => name.startsWith(".continuum-evicting-")) ? undefined : names;
        },
        20_000,
        () => `trash stays\n${next.stderr()}`,
      );
      for (const name of left) {
        expect((await readdir(join(cache, name))).sort()).toEqual(FILES);
        // What stays of each round would fill the disk by itself.
        await rm(join(cache, name), { recursive: true });
      }
    }
  });
});
