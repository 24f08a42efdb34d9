import { type EventGap, RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startCore } from "./support/core-process.js";

const args = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250", "--cooldown", "0s"];

/** Every event of a real core, over its death. */
describe("subscriptions", () => {
  it("survive a kill -9, say that something may be missing, and go on with what the next core pushes", async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-streams-"));
    try {
      await using first = await startCore({ args, home });
      const { url } = first;
      await using client = new RustCoreIPCClient({ url });
      const gaps: [string, EventGap][] = [];
      const note = (name: string) => ({ onGap: (gap: EventGap) => void gaps.push([name, gap]) });
      await using states = client.events("pressure-state", note("pressure-state"));
      await using evictions = client.events("eviction", note("eviction"));
      await using alerts = client.events("pressure-alert", note("pressure-alert"));
      await using messages = client.events("alert-message", note("alert-message"));
      await client.healthCheck();

      /** A pool that is full, and asked for space until it has freed it. */
      const relieve = async (name: string): Promise<void> => {
        await using owner = new RustCoreIPCClient({ url });
        await using requests = owner.events("pool-evict");
        await owner.healthCheck();
        await owner.poolRegister({ name, capacityBytes: 1000, usedBytes: 970, reportEveryMs: 60_000 });
        const { value } = await requests.next();
        const evictionId = value?.evictionId ?? "";
        await owner.poolReport({ name, usedBytes: 300, evictionId, freedBytes: 670 });
        // What it freed is measured by the report after that.
        await owner.poolReport({ name, usedBytes: 300 });
        for (;;) {
          const { value: eviction } = await evictions.next();
          if (eviction?.pool === name) break;
        }
        for (;;) {
          const { value: alert } = await alerts.next();
          if (alert?.tierName === name) break;
        }
        for (;;) {
          const { value: message } = await messages.next();
          if (message?.alert.tierName === name) break;
        }
        for (;;) {
          const { value: state } = await states.next();
          if (state?.pools.some((pool) => pool.name === name && pool.stats.totalBytes === 300) === true)
            break;
        }
      };

      await relieve("before");
      expect(gaps).toEqual([]);
      await first.end("SIGKILL");
      await using second = await startCore({ args, home });
      expect((await client.healthCheck()).pid).toBe(second.pid);
      await relieve("after");
      const names = ["alert-message", "eviction", "pressure-alert", "pressure-state"];
      expect([...new Set(gaps.map(([name]) => name))].sort()).toEqual(names);
      expect(gaps.every(([, { reason }]) => reason === "reconnected")).toBe(true);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
