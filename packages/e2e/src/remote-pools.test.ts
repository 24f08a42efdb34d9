import { RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startCore, until } from "./support/core-process.js";

const args = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250"];

/** A pool of another process, over a real socket: relieved by asking, measured by its reports, forgotten by nobody. */
describe("a pool of another process", () => {
  it("is asked for space, measured, told of, stale without its connection, and counted over a kill -9", async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-remote-"));
    try {
      await using core = await startCore({ args, home });
      await using owner = new RustCoreIPCClient({ url: core.url });
      await using other = new RustCoreIPCClient({ url: core.url });
      await using messages = other.events("alert-message");
      // The stream is subscribed once a later request on its connection is answered.
      await other.healthCheck();
      const pool = { name: "kv", capacityBytes: 1000, usedBytes: 970, reportEveryMs: 60_000 };
      await using requests = owner.events("pool-evict");
      expect(await owner.poolRegister(pool)).toMatchObject({ name: "kv", staleAfterMs: 150_000 });
      await expect(other.poolRegister(pool)).rejects.toMatchObject({
        errorDetail: { kind: "invalidParams", path: "name" },
      });
      await expect(other.poolReport({ name: "kv", usedBytes: 0 })).rejects.toMatchObject({
        errorDetail: { kind: "invalidParams" },
      });

      const request = (await requests.next()).value;
      expect(request).toMatchObject({ pool: "kv", wantBytes: 370 });
      // It claims more than it frees: what counts is its next figures.
      const evictionId = request?.evictionId ?? "";
      await owner.poolReport({ name: "kv", usedBytes: 640, evictionId, freedBytes: 900 });
      await expect(owner.poolReport({ name: "kv", usedBytes: 640, evictionId })).rejects.toMatchObject({
        errorDetail: { path: "evictionId" },
      });
      expect((await messages.next()).value).toMatchObject({
        kind: "fired",
        alert: { tierName: "kv", bytesFreed: 330, actionTaken: true },
      });
      const counted = { evictionsFired: 1, bytesFreedTotal: 330 };
      expect(await other.pressureBrokerState()).toMatchObject(counted);
      // What is asked for here is written first, and with it all that waits.
      const history = await other.pressureHistory({ pool: "kv", resolution: "raw" });
      expect(history.points[0]).toMatchObject({ usedBytes: 970, pressure: 0.97 });

      await owner.close();
      const isStale = async (): Promise<true | undefined> => {
        const { relief } = await other.pressureBrokerExtension();
        return relief.some(({ name, state }) => name === "kv" && state === "stale") ? true : undefined;
      };
      await until(isStale, 20_000, () => "the pool is never stale");
      await core.end("SIGKILL");
      await using again = await startCore({ args, home });
      await using client = new RustCoreIPCClient({ url: again.url });
      expect(await client.pressureBrokerState()).toMatchObject(counted);
      expect((await client.pressureHistory({ pool: "kv", resolution: "hour" })).points).toHaveLength(1);
      expect(await client.runtimeList()).toMatchObject({ ready: true });
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);
});
