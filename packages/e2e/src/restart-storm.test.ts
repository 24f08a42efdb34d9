import { type Core, type CoreConfig, createCore, resolveConfig } from "@continuum/core-server";
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
/** What the engine keeps of code that becomes hot, and pages of garbage that it hasn't given up. */
const MAX_HEAP_GROWTH_BYTES = 3 * 1024 * 1024;
/** Restarts before the first measurement: until then code is compiled and buffers grow to their size. */
const WARM_UP = 10;

/** Handles that come and go while this test waits and looks. */
const TRANSIENT = /^(?:Timeout|Immediate|FSReq|CloseReq)/u;

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
  /** What may not be sent again, as the cores executed it. */
  executed: number;
  /** Ended more than once, or in nothing that was expected. */
  wrong: Set<string>;
}

/** Whether the clients poll; while they don't, nothing is in flight. */
interface Gate {
  open: Promise<void>;
  inFlight: number;
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
      const tally: Tally = {
        started: 0,
        replies: 0,
        refusals: 0,
        broken: {},
        messages: new Set(),
        unsure: 0,
        executed: 0,
        wrong: new Set(),
      };
      // What a process opens once for all its cores: the database's own threads.
      await (await startCounted(config, tally)).stop();
      const before = await measure();
      let core = await startCounted(config, tally);
      const url = core.endpoint;
      const clients = Array.from({ length: CLIENTS }, () => new RustCoreIPCClient({ url }));
      const gaps = { count: 0 };
      const streams = clients
        .slice(0, 5)
        .map((client) => client.events("pressure-state", { onGap: () => (gaps.count += 1) }));
      const answered = new Set<number>();
      const stop = new AbortController();
      const gate: Gate = { open: Promise.resolve(), inFlight: 0 };
      const polling = clients.map((client, index) =>
        poll(client, index, { tally, answered, gate, stop: stop.signal }),
      );
      const restart = async (betweenCores: () => Promise<void> = () => Promise.resolve()): Promise<void> => {
        await core.stop();
        await betweenCores();
        core = await startCounted(config, tally);
        // Every client has been through: none is cut off eight times in a row, which would be the end of a request.
        answered.clear();
        while (answered.size < CLIENTS) await pause(POLL_EVERY_MS);
      };
      /** With a core that has just been started, every client connected, and nothing under way. */
      const measureAtRest = async (isAsBefore: (now: Held) => boolean): Promise<Held> => {
        // The database lets go of its file when its statements are collected, and not while another one of the process holds it.
        await restart(collectGarbage);
        let open = (): void => undefined;
        gate.open = new Promise((resolve) => (open = resolve));
        await until(
          () => (gate.inFlight === 0 ? true : undefined),
          10_000,
          () => `${gate.inFlight} requests don't end`,
        );
        const held = await measure(isAsBefore);
        open();
        return held;
      };

      for (let round = 0; round < WARM_UP; round += 1) await restart();
      const first = await measureAtRest(() => true);
      let mostFiles = 0;
      for (let round = 0; round < RESTARTS; round += 1) {
        await restart();
        if (isLong && round % 50 === 49) {
          mostFiles = Math.max(mostFiles, (await listFiles()).length);
          console.log(round + 1, mostFiles, process.memoryUsage().heapUsed, process.memoryUsage().rss);
        }
      }
      const last = await measureAtRest((now) => isSame(now, first));
      stop.abort();
      await Promise.all(polling);

      const broken = Object.values(tally.broken).reduce((sum, count) => sum + count, 0);
      if (isLong)
        console.log(
          JSON.stringify({ tally: { ...tally, messages: [...tally.messages] }, gaps, first, last }),
        );
      expect([...tally.wrong]).toEqual([]);
      expect(tally.replies + tally.refusals + broken).toBe(tally.started);
      // What may be sent again was answered each time; what may not says that it may have been executed.
      expect([...tally.messages]).toEqual([]);
      expect(Object.keys(tally.broken).filter((key) => key !== "closed system/resource-admit")).toEqual([]);
      expect(tally.unsure).toBe(broken);
      // None twice: nothing beyond what was answered and what was said to be unknown.
      expect(tally.executed).toBeGreaterThanOrEqual(tally.refusals);
      expect(tally.executed).toBeLessThanOrEqual(tally.refusals + tally.unsure);
      expect(gaps.count).toBeGreaterThanOrEqual(RESTARTS);
      expect({ ...last, heapBytes: 0 }).toEqual({ ...first, heapBytes: 0 });
      expect(last.heapBytes - first.heapBytes).toBeLessThan(MAX_HEAP_GROWTH_BYTES);

      for (const stream of streams) await stream.return();
      await Promise.all(clients.map((client) => client.close()));
      await core.stop();
      await collectGarbage();
      const after = await measure((now) => isSame(now, before));
      expect({ ...after, heapBytes: 0 }).toEqual({ ...before, heapBytes: 0 });
    },
    isLong ? 3_600_000 : 120_000,
  );
});

/** A core that counts what it executes of what may not be executed twice. */
async function startCounted(config: CoreConfig, tally: Tally): Promise<Core> {
  const core = createCore(config);
  const { broker } = core;
  const read = broker.read.bind(broker);
  // Nothing but an admission reads a pool on demand.
  broker.read = (...args) => {
    tally.executed += 1;
    return read(...args);
  };
  await core.start();
  return core;
}

/** Asks in turns what may be sent again and what may not, and counts how each ends. */
async function poll(
  client: RustCoreIPCClient,
  index: number,
  { tally, answered, gate, stop }: { tally: Tally; answered: Set<number>; gate: Gate; stop: AbortSignal },
): Promise<void> {
  for (let turn = index; !stop.aborted; turn += 1) {
    await gate.open;
    gate.inFlight += 1;
    tally.started += 1;
    const isOnce = turn % 3 === 0;
    const command = isOnce ? "system/resource-admit" : "system/docker-tier-stats";
    try {
      const reply = isOnce
        ? await client.resourceAdmit({ tier: "docker", projectedBytes: 1 })
        : await client.dockerTierStats();
      if ("detected" in reply && !reply.detected) tally.replies += 1;
      else tally.wrong.add(JSON.stringify(reply));
      answered.add(index);
    } catch (error) {
      if (error instanceof CommandError && error.errorDetail?.kind === "tierUnavailable") {
        // No engine is there to be admitted to: that is the core's answer.
        tally.refusals += 1;
      } else if (error instanceof ConnectionError) {
        const key = `${error.code} ${command}`;
        tally.broken[key] = (tally.broken[key] ?? 0) + 1;
        if (!isOnce) tally.messages.add(error.message);
        if (error.mayHaveExecuted) tally.unsure += 1;
      } else tally.wrong.add(String(error));
    }
    gate.inFlight -= 1;
    await pause(POLL_EVERY_MS);
  }
}

/** What this process holds: its open files, its handles and timers by kind, and its heap without garbage. */
interface Held {
  readonly files: readonly string[];
  readonly resources: readonly string[];
  readonly heapBytes: number;
}

/** What is held once `isAsExpected`, or after ten seconds: what was let go of takes a moment to be gone. */
async function measure(isAsExpected: (now: Held) => boolean = () => true): Promise<Held> {
  let held: Held;
  let rounds = 0;
  do {
    // Files and handles that go are gone after a few turns of the loop; of the rest there is no more in ten seconds.
    await pause(100);
    await collectGarbage();
    const resources = process.getActiveResourcesInfo().filter((name) => !TRANSIENT.test(name));
    held = {
      files: await listFiles(),
      resources: resources.sort(),
      heapBytes: process.memoryUsage().heapUsed,
    };
    rounds += 1;
  } while (!isAsExpected(held) && rounds < 100);
  return held;
}

function isSame(a: Held, b: Held): boolean {
  return String(a.files) === String(b.files) && String(a.resources) === String(b.resources);
}

/** Where the open files lead, without the numbers of sockets and pipes, and without one journal of the state. */
async function listFiles(): Promise<string[]> {
  if (process.platform !== "linux") return [];
  const names = await readdir("/proc/self/fd");
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  // The directory that is being read is one of them, and gone by then.
  const files = targets
    .filter((target) => target !== "")
    .map((target) => target.replace(/:\[\d+\]$/u, ""))
    .sort();
  // The core that runs opens it when it first writes, which may be before or after this look.
  const journal = files.findIndex((file) => file.endsWith("/state.db-journal"));
  return journal < 0 ? files : files.toSpliced(journal, 1);
}

/** What is unreachable is gone, also what its finalizers hold: they run in a later turn. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round += 1) {
    collect();
    await pause(10);
  }
}
