import { RustCoreIPCClient } from "@continuum/ipc-client";
import type { EvictionEvent, PoolView } from "@continuum/wire-types";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { type OtherProcess, startProcess } from "./support/other-process.js";

const args = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250", "--cooldown", "0s"];
const packages = join(import.meta.dirname, "../..");
const program = join(import.meta.dirname, "support/pool-program.js");

async function tempDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "continuum-e2e-pools-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

function startPools(url: string, prefix: string, count: number, pace = "quick", everyMs = 200): OtherProcess {
  const argv = [program, prefix, `${count}`, pace, `${everyMs}`];
  return startProcess(process.execPath, argv, { CONTINUUM_CORE_URL: url });
}

/** The programs of the document, as files that can be started. */
async function writePrograms(): Promise<{ readonly node: string; readonly python: string }> {
  const text = await readFile(join(packages, "../docs/pools-of-other-processes.md"), "utf8");
  const directory = await tempDirectory();
  await mkdir(join(directory, "node_modules/@continuum"), { recursive: true });
  for (const name of ["ipc-client", "pool-memory"]) {
    await symlink(join(packages, name), join(directory, "node_modules/@continuum", name));
  }
  const [, node = ""] = /```js\n([\s\S]*?)```/u.exec(text) ?? [];
  const [, python = ""] = /```python\n([\s\S]*?)```/u.exec(text) ?? [];
  await writeFile(join(directory, "serve.mjs"), node);
  await writeFile(join(directory, "serve.py"), python);
  return { node: join(directory, "serve.mjs"), python: join(directory, "serve.py") };
}

async function viewOf(client: RustCoreIPCClient, name: string): Promise<PoolView | undefined> {
  return (await client.pressureBrokerState()).pools.find((pool) => pool.name === name);
}

async function stateOf(client: RustCoreIPCClient, name: string): Promise<string | undefined> {
  return (await client.pressureBrokerExtension()).relief.find((pool) => pool.name === name)?.state;
}

describe("pools of other processes", () => {
  it(
    "are served by the document's programs, over a kill of the core and for ever, until they end",
    { timeout: 120_000 },
    async () => {
      const { node, python } = await writePrograms();
      const home = await tempDirectory();
      const env = { CONTINUUM_CORE_URL: `unix://${join(home, "core.sock")}` };
      // Before there is a core.
      await using pages = startProcess(process.execPath, [node], env);
      await using blobs = startProcess("python3", ["-u", python], env);
      await Promise.all([pages.said(/notFound|ENOENT|no such|there/iu), blobs.said(/No such file/u)]);
      const freed: number[] = [];
      for (let life = 0; life < 2; life += 1) {
        await using core = await startCore({ args, home });
        await using client = new RustCoreIPCClient({ url: core.url });
        const why = (): string => `${core.stdout()}\n${core.stderr()}\n${pages.output()}\n${blobs.output()}`;
        // The pages come back as fast as they go: they are relieved in each life of the core, the blobs once.
        await core.line(/📢 PressureAlert tier=pages .*action=evicted/u);
        if (life === 0) await core.line(/📢 PressureAlert tier=blobs .*action=evicted/u);
        const view = await until(
          async () => {
            const found = await viewOf(client, "blobs");
            return found !== undefined && found.pressure < 0.8 ? found : undefined;
          },
          20_000,
          why,
        );
        expect(view.stats).toMatchObject({ totalBytes: 60_000_000, maxBytes: 100_000_000, entryCount: 60 });
        freed.push((await client.pressureBrokerState()).bytesFreedTotal);
        // What was counted last is on the disk once something later is: a history is asked for, so all is written.
        await client.pressureHistory({ pool: "pages", resolution: "raw" });
        if (life === 0) await core.end("SIGKILL");
        else {
          expect(await pages.end("SIGTERM")).toBe(0);
          expect(pages.output()).toMatch(/evictionCount: [1-9]/u);
          expect(await viewOf(client, "pages")).toBeUndefined();
          expect(await stateOf(client, "blobs")).toBe("idle");
        }
      }
      // 35 MB of the blobs, and what the pages gave; the second life goes on from the first one's counters.
      expect(freed[0]).toBeGreaterThan(35_000_000);
      expect(freed[1]).toBeGreaterThan(freed[0] ?? Infinity);
    },
  );

  it(
    "that are killed while they evict are stale, free nothing, and are taken over",
    { timeout: 60_000 },
    async () => {
      await using core = await startCore({ args });
      await using client = new RustCoreIPCClient({ url: core.url });
      await using evictions = client.events("eviction");
      await client.healthCheck();
      await using slow = startPools(core.url, "kv", 1, "slow");
      await slow.said(/evicting kv-0/u);
      await slow.end("SIGKILL");
      const { value } = await evictions.next();
      expect(value).toMatchObject({ pool: "kv-0", freedBytes: 0, measured: false });
      expect(value?.shortfall).toContain("has gone");
      expect(await stateOf(client, "kv-0")).toBe("stale");
      expect(await client.pressureBrokerState()).toMatchObject({ evictionsFired: 1, bytesFreedTotal: 0 });
      await using next = startPools(core.url, "kv", 1);
      await next.said(/evicting kv-0/u);
      expect((await evictions.next()).value).toMatchObject({
        pool: "kv-0",
        freedBytes: 35_000,
        measured: true,
      });
      expect(await client.pressureBrokerState()).toMatchObject({
        evictionsFired: 2,
        bytesFreedTotal: 35_000,
      });
    },
  );

  it(
    "that are stopped are stale and asked nothing, and fresh again when they go on",
    { timeout: 60_000 },
    async () => {
      await using core = await startCore({ args });
      await using client = new RustCoreIPCClient({ url: core.url });
      await using pools = startPools(core.url, "kv", 1);
      const becomes = (state: string): Promise<true> =>
        until(
          async () => ((await stateOf(client, "kv-0")) === state ? true : undefined),
          20_000,
          () => `it isn't ${state}\n${core.stderr()}\n${pools.output()}`,
        );
      await becomes("idle");
      pools.signal("SIGSTOP");
      await becomes("stale");
      const before = await client.pressureBrokerState();
      pools.signal("SIGCONT");
      await becomes("idle");
      const after = await client.pressureBrokerState();
      expect(after.evictionsFired).toBe(before.evictionsFired);
      expect(pools.output().match(/evicting/gu)).toHaveLength(1);
      expect(await viewOf(client, "kv-0")).toMatchObject({ pressure: 0.6 });
    },
  );

  it(
    "are relieved by the hundred, and the counters are the sum of what was measured",
    { timeout: 180_000 },
    async () => {
      const [processes, each] = [20, 10];
      await using core = await startCore({ args });
      await using client = new RustCoreIPCClient({ url: core.url });
      const outcomes: EvictionEvent[] = [];
      await using evictions = client.events("eviction", { capacity: 10_000 });
      const taking = (async () => {
        for await (const outcome of evictions) outcomes.push(outcome);
      })();
      await client.healthCheck();
      const startedMs = performance.now();
      const all = Array.from({ length: processes }, (_, i) =>
        startPools(core.url, `p${i}`, each, "quick", 1_000),
      );
      onTestFinished(async () => {
        await Promise.all(all.map((one) => one.end("SIGKILL")));
      });
      const state = await until(
        async () => {
          const snapshot = await client.pressureBrokerState();
          const ours = snapshot.pools.filter(({ name }) => name.startsWith("p"));
          const isCalm = ours.length === processes * each && ours.every(({ pressure }) => pressure <= 0.7);
          // Calm by the figures that came with the answers, and each of them measured by the ones after.
          const measured = outcomes.filter((outcome) => outcome.measured).length;
          const isOver = measured >= Math.max(snapshot.evictionsFired, processes * each);
          return isCalm && isOver ? snapshot : undefined;
        },
        150_000,
        () => `not all are relieved\n${core.stderr()}\n${all.map((one) => one.output()).join("")}`,
      );
      const tookMs = Math.round(performance.now() - startedMs);
      console.log(
        `${processes * each} pools of ${processes} processes relieved within ${tookMs} ms of their start`,
      );
      await evictions.return();
      await taking;
      // One that found its pool stale asked nothing of it.
      const fired = outcomes.filter(({ measured }) => measured);
      expect(state.evictionsFired).toBe(fired.length);
      expect(state.bytesFreedTotal).toBe(outcomes.reduce((sum, { freedBytes }) => sum + freedBytes, 0));
      expect(state.bytesFreedTotal).toBe(processes * each * 35_000);
      expect(await client.runtimeList()).toMatchObject({ ready: true });
    },
  );
});
