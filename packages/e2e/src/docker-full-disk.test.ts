import { connectCore } from "@continuum/ipc-client";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";

/** Writes as root until nothing fits any more, what is reserved for root included. */
async function fillToTheLastByte(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (let block = 1 << 20; block >= 512; block /= 2) {
      const zeros = Buffer.alloc(block);
      for (;;) {
        try {
          const { bytesWritten } = await file.write(zeros);
          if (bytesWritten < block) break;
        } catch (error) {
          if (error instanceof Error && "code" in error && error.code === "ENOSPC") break;
          throw error;
        }
      }
      await file.sync().catch(() => undefined);
    }
  } finally {
    await file.close();
  }
}

describeWithLab("a disk without a free byte", { sizeBytes: 512 * 2 ** 20 }, (lab) => {
  const args = (): string[] => [
    "--docker-host",
    lab().dockerHost,
    "--tick-ms",
    "500",
    "--min-age",
    "0s",
    "--state-dir",
    join(lab().mountPoint, "state"),
  ];

  it(
    "doesn't keep a core from starting, writing down what it does, and making room",
    { timeout: 180_000 },
    async () => {
      for (let i = 0; i < 6; i++) await lab().importImage({ name: `old/image-${i}:1`, bytes: 40_000_000 });
      // It was here before, on the same disk, and kept some space for itself.
      {
        await using before = await startCore({ args: args() });
        await before.line(/listening/u);
        expect((await before.end()).code).toBe(0);
      }
      await fillToTheLastByte(join(lab().mountPoint, "filler"));
      await expect(writeFile(join(lab().mountPoint, "more"), "x".repeat(5_000))).rejects.toThrow("ENOSPC");

      await using core = await startCore({ args: [...args(), "--evict", "standard"] });
      await using client = connectCore({ url: core.url });
      const after = await until(
        async () => {
          const df = await lab().df();
          return df.pressure < 0.9 && (await client.pressureBrokerState()).bytesFreedTotal > 0
            ? df
            : undefined;
        },
        90_000,
        () => `nothing is freed\n${core.stdout()}\n${core.stderr()}`,
      );
      const { records, durable } = await client.dockerEvictHistory({ limit: 100 });
      expect(durable).toBe(true);
      expect(records.filter(({ outcome }) => outcome === "deleted").length).toBeGreaterThan(0);
      console.log(
        `full disk: down to ${(after.pressure * 100).toFixed(1)} %, ${records.length} lines written`,
      );
      await core.end("SIGKILL");

      await using again = await startCore({ args: args() });
      await using other = connectCore({ url: again.url });
      const kept = await other.dockerEvictHistory({ limit: 100 });
      expect(kept.records.length).toBeGreaterThanOrEqual(records.length);
    },
  );

  it(
    "doesn't keep a new core from starting either, which remembers in memory until there is room",
    { timeout: 180_000 },
    async () => {
      for (let i = 0; i < 3; i++) await lab().importImage({ name: `newer/image-${i}:1`, bytes: 30_000_000 });
      await fillToTheLastByte(join(lab().mountPoint, "filler-2"));
      const fresh = args().map((arg) => arg.replace(/state$/u, "state-of-another"));
      await using core = await startCore({ args: [...fresh, "--evict", "standard"] });
      await using client = connectCore({ url: core.url });
      await until(
        async () => ((await client.pressureBrokerState()).bytesFreedTotal > 0 ? true : undefined),
        90_000,
        () => `nothing is freed\n${core.stdout()}\n${core.stderr()}`,
      );
      const { records } = await until(
        async () => {
          const history = await client.dockerEvictHistory({ limit: 100 });
          return history.durable ? history : undefined;
        },
        60_000,
        () => `the state never reached its file\n${core.stderr()}`,
      );
      expect(records.some(({ outcome }) => outcome === "deleted")).toBe(true);
    },
  );
});
