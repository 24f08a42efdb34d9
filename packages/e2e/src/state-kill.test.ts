import { RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startCore, until } from "./support/core-process.js";

const args = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250", "--cooldown", "0s"];
const KILLS = process.env["CONTINUUM_LONG_TESTS"] === "1" ? 100 : 8;
/** What a kill may cost, in ms: what was told within the last second, and a moment for it to be seen here. */
const LOSS_MS = 1_000;
const SEEN_MS = 300;

/** What a client saw at a time. */
interface Seen {
  readonly atMs: number;
  readonly evictionsFired: number;
  readonly bytesFreedTotal: number;
}

/** A pool in this process that fills again and again, and frees what it is asked to. */
async function playPool(client: RustCoreIPCClient, until: AbortSignal): Promise<void> {
  let usedBytes = 700;
  const pool = { name: "kv", capacityBytes: 1_000, usedBytes, reportEveryMs: 200 };
  await client.poolRegister(pool);
  await using requests = client.events("pool-evict");
  const answering = (async () => {
    for (;;) {
      const { value, done } = await requests.next();
      if (done === true) return;
      if (value.pool !== "kv") continue;
      usedBytes -= Math.min(usedBytes, value.wantBytes);
      await client.poolReport({
        name: "kv",
        usedBytes,
        evictionId: value.evictionId,
        freedBytes: value.wantBytes,
      });
    }
  })().catch(() => undefined);
  while (!until.aborted) {
    usedBytes = Math.min(990, usedBytes + 60);
    await client.poolReport({ name: "kv", usedBytes });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await client.close();
  await answering;
}

describe("a core that is killed with -9 at any moment", () => {
  it(
    `has all but the last second, undamaged: ${KILLS} kills while it relieves a pool and takes readings`,
    { timeout: 60_000 + KILLS * 6_000 },
    async () => {
      const home = await mkdtemp(join(tmpdir(), "continuum-state-kill-"));
      let before = { evictionsFired: 0, bytesFreedTotal: 0, samples: 0 };
      let lostMs = 0;
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          await using core = await startCore({ args, home });
          const owner = new RustCoreIPCClient({ url: core.url });
          await using watcher = new RustCoreIPCClient({ url: core.url });
          const start = await watcher.pressureBrokerState();
          expect(start).toMatchObject({
            evictionsFired: before.evictionsFired,
            bytesFreedTotal: before.bytesFreedTotal,
          });
          const stop = new AbortController();
          const playing = playPool(owner, stop.signal).catch(() => undefined);
          const seen: Seen[] = [];
          const killAtMs = performance.now() + 1_200 + Math.random() * 2_000;
          while (performance.now() < killAtMs) {
            const { evictionsFired, bytesFreedTotal } = await watcher.pressureBrokerState();
            seen.push({ atMs: performance.now(), evictionsFired, bytesFreedTotal });
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          const killedMs = performance.now();
          const beginMs = Date.now() - 1_000;
          await core.end("SIGKILL");
          stop.abort();
          await playing;

          await using again = await startCore({ args, home });
          await using client = new RustCoreIPCClient({ url: again.url });
          const { evictionsFired, bytesFreedTotal } = await client.pressureBrokerState();
          const mustBe = seen.filter(({ atMs }) => atMs <= killedMs - LOSS_MS - SEEN_MS).at(-1);
          expect(evictionsFired).toBeGreaterThanOrEqual(mustBe?.evictionsFired ?? 0);
          expect(bytesFreedTotal).toBeGreaterThanOrEqual(mustBe?.bytesFreedTotal ?? 0);
          expect(evictionsFired).toBeLessThanOrEqual((seen.at(-1)?.evictionsFired ?? 0) + 1);
          const lost = seen.find((each) => each.evictionsFired > evictionsFired);
          if (lost !== undefined) lostMs = Math.max(lostMs, killedMs - lost.atMs);
          // Every reading but those of the last second: a second between two, and no hole.
          const raw = await client.pressureHistory({ pool: "kv", resolution: "raw", limit: 10_000 });
          const recent = raw.points.filter(({ atMs }) => atMs >= beginMs - 1_000);
          const newest = raw.points.at(-1)?.atMs ?? 0;
          expect(beginMs + 1_000 - newest).toBeLessThan(LOSS_MS + 1_000 + SEEN_MS);
          for (const [i, point] of recent.entries()) {
            const previous = recent[i - 1];
            if (previous !== undefined) expect(point.atMs - previous.atMs).toBeLessThan(2_000);
          }
          const hours = await client.pressureHistory({ pool: "kv", resolution: "hour" });
          const samples = hours.points.reduce((sum, point) => sum + point.samples, 0);
          expect(samples).toBe(raw.points.length);
          expect(samples).toBeGreaterThan(before.samples);
          const { state } = await client.runtimeList();
          expect(state).toMatchObject({ durable: true, problem: null, notes: [] });
          before = { evictionsFired, bytesFreedTotal, samples };
          await again.end("SIGKILL");
        }
        expect(before.evictionsFired).toBeGreaterThan(0);
        console.log(
          `${KILLS} kills of whole cores: ${before.evictionsFired} evictions, ${before.samples} readings; the oldest that was lost was ${lostMs.toFixed(0)} ms old`,
        );
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    },
  );

  it("and whose state was damaged meanwhile says so to its clients", { timeout: 60_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-state-damaged-"));
    try {
      {
        await using first = await startCore({ args, home });
        await first.end("SIGKILL");
      }
      await writeFile(join(home, "state/state.db"), "no database ".repeat(2_000));
      await using core = await startCore({ args, home });
      await using client = new RustCoreIPCClient({ url: core.url });
      const { state } = await client.runtimeList();
      expect(state).toMatchObject({ durable: true, problem: null });
      expect(state?.notes.join()).toMatch(/set aside as .*damaged-/u);
      await until(
        () => (core.stderr().includes("set aside as") ? true : undefined),
        5_000,
        () => core.stderr(),
      );
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
