import { connectCore } from "@continuum/ipc-client";
import { spawn } from "node:child_process";
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";

const FILES = 5_000;

describeWithLab(
  "a disk that runs out of inodes long before it runs out of bytes",
  { sizeBytes: 256 * 2 ** 20 },
  (lab) => {
    const inodePressure = async (): Promise<number> => {
      const { files, ffree } = await statfs(lab().mountPoint);
      return (files - ffree) / files;
    };

    it(
      "is seen as full, and relieved until there are enough of them again",
      { timeout: 180_000 },
      async () => {
        const dir = await mkdtemp(join(tmpdir(), "continuum-inodes-"));
        onTestFinished(() => rm(dir, { recursive: true, force: true }));
        for (let i = 0; i < FILES; i++) await writeFile(join(dir, `${i}`), "");
        for (let n = 0; (await inodePressure()) < 0.9; n++) {
          // Another owner each time: the same content would be the same layer.
          const tar = spawn("tar", ["-C", dir, `--owner=${n + 1}`, "-cf", "-", "."], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          await lab().docker(["import", "-", `many/files-${n}:1`], { input: tar.stdout });
        }
        const df = await lab().df();
        expect(df.pressure).toBeLessThan(0.5);

        const args = [
          "--docker-host",
          lab().dockerHost,
          "--tick-ms",
          "500",
          "--evict",
          "standard",
          "--min-age",
          "0s",
        ];
        await using core = await startCore({ args });
        await using client = connectCore({ url: core.url });
        const { reading } = await client.dockerTierUsage();
        expect(reading).toMatchObject({ binds: "inodes" });
        await core.line(/📢 PressureAlert tier=docker severity=(high|critical)/u);
        await until(
          async () => ((await inodePressure()) <= 0.6 ? true : undefined),
          60_000,
          () => `no inodes are freed\n${core.stdout()}\n${core.stderr()}`,
        );
        const { pools } = await client.pressureBrokerState();
        expect(pools[0]?.pressure).toBeLessThanOrEqual(0.95);
        // What the contract's figures say is still about bytes.
        const stats = await client.dockerTierStats();
        expect(stats.pressure).toBe(stats.usedBytes / stats.capacityBytes);
        console.log(
          `inodes: down to ${((await inodePressure()) * 100).toFixed(1)} %, bytes at ${(stats.pressure * 100).toFixed(1)} %`,
        );
      },
    );
  },
);
