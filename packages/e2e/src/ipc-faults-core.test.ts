import { seededRandom } from "@continuum/tools/seeded-random";
import { CommandError, ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CoreProcess, startCore } from "./support/core-process.js";
import { FAULTS, FaultProxy } from "./support/fault-proxy.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const CLIENTS = 8;
const CALLS_PER_CLIENT = isLong ? 20_000 : 1_000;
/** A call that hasn't ended by then is lost, in ms. */
const LOST_AFTER_MS = 30_000;

/** How the calls of a storm ended. */
interface Tally {
  polls: number;
  failedPolls: string[];
  /** Admissions that the core answered: it has executed each of them. */
  answered: number;
  /** Admissions that ended in a typed error of the connection, by whether they may have been executed. */
  unknown: number;
  notExecuted: number;
  other: string[];
}

/** Every second call is an admission, which is not sent again: the core counts how many it has executed. */
async function callThrough(url: string, tally: Tally): Promise<void> {
  await using client = new RustCoreIPCClient({
    url,
    requestTimeoutMs: LOST_AFTER_MS,
    reconnectForMs: LOST_AFTER_MS,
  });
  // So that the client has seen its core once: before that, a failure is final at once.
  await client.healthCheck().catch(() => undefined);
  const inFlight = 8;
  const workers = Array.from({ length: inFlight }, async (_, worker) => {
    for (let i = worker; i < CALLS_PER_CLIENT; i += inFlight) {
      if (i % 2 === 0) await poll(client, tally);
      else await admit(client, tally);
    }
  });
  await Promise.all(workers);
}

async function poll(client: RustCoreIPCClient, tally: Tally): Promise<void> {
  tally.polls += 1;
  try {
    const stats = await client.dockerTierStats();
    if (stats.detected) tally.failedPolls.push("a tier that isn't there was detected");
  } catch (error) {
    tally.failedPolls.push(String(error));
  }
}

async function admit(client: RustCoreIPCClient, tally: Tally): Promise<void> {
  try {
    await client.resourceAdmit({ tier: "docker", projectedBytes: 1 });
    tally.other.push("admitted to a tier that isn't there");
  } catch (error) {
    if (error instanceof CommandError && error.errorDetail?.kind === "tierUnavailable") tally.answered += 1;
    else if (error instanceof ConnectionError && error.code === "timeout") tally.other.push("lost");
    else if (error instanceof ConnectionError) tally[error.mayHaveExecuted ? "unknown" : "notExecuted"] += 1;
    else tally.other.push(String(error));
  }
}

describe("faults between clients and a real core", () => {
  let directory: string;
  let core: CoreProcess;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "continuum-faults-"));
    core = await startCore({ args: ["--docker-host", "unix:///nonexistent/docker.sock"] });
  });
  afterEach(async () => {
    await core[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it(
    "every call ends once, and the core has executed what its callers were told",
    { timeout: isLong ? 600_000 : 60_000 },
    async () => {
      const path = join(directory, "proxy.sock");
      await using proxy = await FaultProxy.start(path, core.socketPath, {
        faults: FAULTS,
        rate: 0.05,
        random: seededRandom(7),
      });
      const tally: Tally = { polls: 0, failedPolls: [], answered: 0, unknown: 0, notExecuted: 0, other: [] };
      await Promise.all(Array.from({ length: CLIENTS }, () => callThrough(`unix://${path}`, tally)));

      await using direct = new RustCoreIPCClient({ url: core.url });
      const { modules } = await direct.runtimeMetrics();
      const executed = modules.find(({ name }) => name === "admission")?.requests ?? -1;
      const injected = Object.values(proxy.counts).reduce((a, b) => a + b, 0);
      if (isLong) console.log({ injected, executed, ...tally });
      // A storm without wind proves nothing.
      expect(injected).toBeGreaterThan(50);
      expect(tally.unknown).toBeGreaterThan(0);
      expect(tally.other).toEqual([]);
      expect(tally.failedPolls).toEqual([]);
      expect(tally.polls).toBe((CLIENTS * CALLS_PER_CLIENT) / 2);
      expect(tally.answered + tally.unknown + tally.notExecuted).toBe((CLIENTS * CALLS_PER_CLIENT) / 2);
      // None twice: nothing beyond what was answered and what was said to be unknown.
      expect(executed).toBeGreaterThanOrEqual(tally.answered);
      expect(executed).toBeLessThanOrEqual(tally.answered + tally.unknown);
    },
  );
});
