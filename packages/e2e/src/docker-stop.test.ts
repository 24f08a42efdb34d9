import { connectCore } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";

const IMAGE_BYTES = 8_000_000;
const STOPS = process.env["CONTINUUM_LONG_TESTS"] === "1" ? 30 : 10;

/** As its lines in the log say, a core has begun to carry an eviction out. */
const BEGUN = /about to delete image|deleted image/u;

describeWithLab(
  "a core that is told to stop in the middle of an eviction",
  { sizeBytes: 512 * 2 ** 20 },
  (lab) => {
    const names = async (): Promise<readonly string[]> =>
      (await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])).stdout
        .split("\n")
        .filter((name) => name !== "");

    it(
      `finishes the step, leaves no image without its names, and writes down what is gone: ${STOPS} times`,
      { timeout: 600_000 },
      async () => {
        const home = await mkdtemp(join(tmpdir(), "continuum-stop-"));
        onTestFinished(() => rm(home, { recursive: true, force: true }));
        const args = [
          "--docker-host",
          lab().dockerHost,
          "--tick-ms",
          "250",
          "--min-age",
          "0s",
          "--log-level",
          "debug",
        ];
        const tookMs: number[] = [];
        let deletedInAll = 0;
        let made = 0;
        for (let stop = 0; stop < STOPS; stop++) {
          while ((await lab().df()).pressure < 0.9) {
            await lab().importImage({ name: `team/app-${(made += 1)}:1`, bytes: IMAGE_BYTES });
          }
          const before = await names();
          await using core = await startCore({ args: [...args, "--evict", "standard"], home });
          await until(
            () => (BEGUN.test(core.stderr()) ? true : undefined),
            60_000,
            () => `no eviction begins\n${core.stderr()}`,
          );
          // Anywhere in the steps: names taken, the second of waiting, deletions, the next batch.
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 2_500));
          const { code, tookMs: took } = await core.end("SIGTERM");
          expect(code).toBe(0);
          expect(took).toBeLessThan(2_000);
          tookMs.push(took);
          const after = await names();
          expect(after.filter((name) => name.includes("continuum-evicting-"))).toEqual([]);
          const gone = before.filter((name) => !after.includes(name)).toSorted();
          await using reader = await startCore({ args, home });
          await using client = connectCore({ url: reader.url });
          const { records } = await client.dockerEvictHistory({ limit: 1_000 });
          const deleted = records.filter(({ outcome }) => outcome === "deleted").map(({ name }) => name);
          const ofThisStop = deleted.slice(0, deleted.length - deletedInAll);
          expect(ofThisStop.toSorted()).toEqual(gone);
          deletedInAll = deleted.length;
          // What freed them is counted as well, though the core was on its way out.
          const counters = await client.pressureBrokerState();
          if (gone.length > 0) expect(counters.bytesFreedTotal).toBeGreaterThan(0);
          expect((await reader.end("SIGTERM")).code).toBe(0);
        }
        tookMs.sort((a, b) => a - b);
        console.log(
          `${STOPS} stops: median ${tookMs[Math.floor(STOPS / 2)]?.toFixed(0)} ms, longest ${tookMs.at(-1)?.toFixed(0)} ms; ${deletedInAll} images deleted and written down`,
        );
      },
    );

    it("ends within its bound though the engine answers nothing more, and at once at a second signal", async () => {
      // One home: the next core finds in its ledger whose names were taken.
      const home = await mkdtemp(join(tmpdir(), "continuum-stop-"));
      onTestFinished(() => rm(home, { recursive: true, force: true }));
      const args = ["--docker-host", lab().dockerHost, "--tick-ms", "250", "--min-age", "0s"];
      const evicting = [...args, "--evict", "standard", "--log-level", "debug"];
      for (const isHurried of [false, true]) {
        for (let made = 0; (await lab().df()).pressure < 0.9; made++) {
          await lab().importImage({
            name: `hung/app-${isHurried ? "a" : "b"}-${made}:1`,
            bytes: IMAGE_BYTES,
          });
        }
        await using core = await startCore({ args: evicting, home });
        await until(
          () => (BEGUN.test(core.stderr()) ? true : undefined),
          60_000,
          () => `no eviction begins\n${core.stderr()}`,
        );
        lab().pauseEngine();
        try {
          const ended = core.end("SIGTERM");
          // Again and again: two that come before the process runs are one to it.
          const again = isHurried ? setInterval(() => hurry(core.pid), 20) : undefined;
          const { code, tookMs } = await ended.finally(() => clearInterval(again));
          expect(tookMs).toBeLessThan(isHurried ? 500 : 2_000);
          expect(isHurried ? [0, 143] : [0]).toContain(code);
        } finally {
          lab().resumeEngine();
        }
      }
      // What the paused engine kept is given its names back by the next core.
      await using next = await startCore({ args, home });
      await until(
        async () => ((await names()).some((name) => name.includes("continuum-evicting-")) ? undefined : true),
        60_000,
        () => `names aren't given back\n${next.stderr()}`,
      );
    }, 300_000);
  },
);

function hurry(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
