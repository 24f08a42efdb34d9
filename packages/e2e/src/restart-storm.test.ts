import { type Core, createCore, resolveConfig } from "@continuum/core-server";
import { CommandError, ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "./support/core-process.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const RESTARTS = isLong ? 1_000 : 20;
const CLIENTS = 50;
const POLL_EVERY_MS = 5;
/** Garbage that isn't collected yet, and what the engine keeps of code that became hot. */
const MAX_HEAP_GROWTH_BYTES = 12 * 1024 * 1024;

/** A request ends once, or the storm has found something. */
interface Tally {
  started: number;
  replies: number;
  refusals: number;
  broken: Record<string, number>;
  /** Why what may be sent again broke all the same. */
  messages: Set<string>;
  /** Broken, and perhaps executed: only what may not be sent again. */
  unsure: number;
}

/** The core is in this process, so that a thousand restarts are affordable; packages/e2e/src/restart.test.ts kills real ones. */
describe("a core that is restarted again and again under polling clients", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-storm-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it(
    `${RESTARTS} restarts under ${CLIENTS} clients: every request ends once, and nothing leaks`,
    async () => {
      const env = { CONTINUUM_HOME: home, CONTINUUM_DOCKER_HOST: "unix:///nonexistent/docker.sock" };
      const config = resolveConfig({}, env);
      const start = async (): Promise<Core> => {
        const core = createCore(config);
        await core.start();
        return core;
      };
      const socketsBefore = openSockets();
      let core = await start();
      const url = core.endpoint;
      const clients = Array.from({ length: CLIENTS }, () => new RustCoreIPCClient({ url }));
      const gaps = { count: 0 };
      const streams = clients
        .slice(0, 5)
        .map((client) => client.events("pressure-state", { onGap: () => (gaps.count += 1) }));
      const tally: Tally = {
        started: 0,
        replies: 0,
        refusals: 0,
        broken: {},
        messages: new Set(),
        unsure: 0,
      };
      const ended = new Map<number, number>();
      const answered = new Set<number>();
      const stop = new AbortController();
      const polling = clients.map((client, index) =>
        poll(client, index, { tally, ended, answered, stop: stop.signal }),
      );
      const restart = async (): Promise<void> => {
        await core.stop();
        core = await start();
        // Every client has been through: none is cut off eight times in a row, which would be the end of a request.
        answered.clear();
        while (answered.size < CLIENTS) await pause(POLL_EVERY_MS);
      };

      for (let warmUp = 0; warmUp < 5; warmUp += 1) await restart();
      const first = await measure();
      for (let round = 0; round < RESTARTS; round += 1) await restart();
      const last = await measure();
      stop.abort();
      await Promise.all(polling);

      expect(ended.size).toBe(tally.started);
      expect([...ended.values()].every((count) => count === 1)).toBe(true);
      const broken = Object.values(tally.broken).reduce((sum, count) => sum + count, 0);
      expect(tally.replies + tally.refusals + broken).toBe(tally.started);
      // What may be sent again was answered each time; what may not says that it may have been executed.
      expect([...tally.messages]).toEqual([]);
      expect(Object.keys(tally.broken).filter((key) => key !== "closed system/resource-admit")).toEqual([]);
      expect(tally.unsure).toBe(broken);
      expect(gaps.count).toBeGreaterThanOrEqual(RESTARTS);
      expect(last.files - first.files).toBeLessThanOrEqual(4);
      expect(last.resources).toBeLessThanOrEqual(first.resources + 10);
      expect(last.heapBytes - first.heapBytes).toBeLessThan(MAX_HEAP_GROWTH_BYTES);
      if (isLong) console.log(JSON.stringify({ tally, gaps, first, last }));

      for (const stream of streams) await stream.return();
      await Promise.all(clients.map((client) => client.close()));
      await core.stop();
      // One more at most: the test runner opens its own output when it first writes.
      await until(
        () => (openSockets() <= socketsBefore + 1 ? true : undefined),
        5_000,
        () => `${openSockets()} sockets are open, ${socketsBefore} were`,
      );
    },
    isLong ? 3_600_000 : 120_000,
  );
});

/** Asks in turns what may be sent again and what may not, and counts how each ends. */
async function poll(
  client: RustCoreIPCClient,
  index: number,
  {
    tally,
    ended,
    answered,
    stop,
  }: { tally: Tally; ended: Map<number, number>; answered: Set<number>; stop: AbortSignal },
): Promise<void> {
  for (let turn = index; !stop.aborted; turn += 1) {
    tally.started += 1;
    const id = tally.started;
    const count = (): void => void ended.set(id, (ended.get(id) ?? 0) + 1);
    const isOnce = turn % 3 === 0;
    const command = isOnce ? "system/resource-admit" : "system/docker-tier-stats";
    const request = isOnce
      ? client.resourceAdmit({ tier: "docker", projectedBytes: 1 })
      : client.dockerTierStats();
    await request.then(
      (reply) => {
        count();
        expect(reply).toMatchObject({ detected: false });
        tally.replies += 1;
        answered.add(index);
      },
      (error: unknown) => {
        count();
        // No engine is there to be admitted to: that is the core's answer.
        if (error instanceof CommandError) {
          expect(error.errorDetail).toMatchObject({ kind: "tierUnavailable" });
          tally.refusals += 1;
        } else if (error instanceof ConnectionError) {
          const key = `${error.code} ${command}`;
          tally.broken[key] = (tally.broken[key] ?? 0) + 1;
          if (!isOnce) tally.messages.add(error.message);
          if (error.mayHaveExecuted) tally.unsure += 1;
        } else throw error;
      },
    );
    await pause(POLL_EVERY_MS);
  }
}

/** Also those to the test runner. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /Pipe|TCP/u.test(name)).length;
}

/** Open files but for those of the core's state: its database lets go of some of its own only when garbage is collected. */
async function countFiles(): Promise<number> {
  if (process.platform !== "linux") return 0;
  const names = await readdir("/proc/self/fd");
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return targets.filter((target) => !target.includes("/state/state.db")).length;
}

/** What this process holds at least, over a while of polling, once garbage is gone. */
async function measure(): Promise<{ files: number; resources: number; heapBytes: number }> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const least = { files: Infinity, resources: Infinity, heapBytes: Infinity };
  for (let round = 0; round < 20; round += 1) {
    if (round % 5 === 0) collect();
    least.files = Math.min(least.files, await countFiles());
    least.resources = Math.min(least.resources, process.getActiveResourcesInfo().length);
    least.heapBytes = Math.min(least.heapBytes, process.memoryUsage().heapUsed);
    await pause(20);
  }
  return least;
}
