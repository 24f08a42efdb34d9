import { type ResourcePool, toPressure } from "@continuum/broker-core";
import { FakePool } from "@continuum/broker-core/testing";
import { createCore, resolveConfig } from "@continuum/core-server";
import { connectCore, type CoreClientOptions, RustCoreIPCClient } from "@continuum/ipc-client";
import type { DockerEvictionControl, DockerPool, DockerTierReading } from "@continuum/pool-docker";
import { dirname } from "node:path";
import {
  type BenchClient,
  type BenchServer,
  type BenchSubject,
  fail,
  type PayloadName,
} from "../bench-subject.js";
import { POOL_COUNT, poolFigures, RESULTS } from "../payloads.js";

/** The whole core (router, modules, limits, deadlines) and the client as programs use it, with their defaults. */
export const coreSubject = createCoreSubject(false);

/** Both sides poll for a moment. */
export const coreLowLatencySubject = createCoreSubject(true);

/** The same with a client for each call, as the existing one is used. */
export const coreConnectingSubject: BenchSubject = {
  startServer: (socketPath, payload) => startServer(socketPath, payload, false),
  startClient: (url) => {
    const call = async (): Promise<void> => {
      const client = new RustCoreIPCClient({ url });
      await client.dockerTierStats();
      // As the existing one is used: nobody waits for the end of a connection that has answered.
      client.close().catch(fail);
    };
    return Promise.resolve({
      issue: (done) => void call().then(done, fail),
      close: () => Promise.resolve(),
    });
  },
};

function createCoreSubject(lowLatency: boolean): BenchSubject {
  return {
    startServer: (socketPath, payload) => startServer(socketPath, payload, lowLatency),
    startClient: (url, payload) => startClient({ url, lowLatency }, payload),
  };
}

async function startServer(
  socketPath: string,
  payload: PayloadName,
  lowLatency: boolean,
): Promise<BenchServer> {
  const flags = { socket: socketPath, lowLatency: lowLatency ? "on" : "off" };
  const config = resolveConfig(flags, { CONTINUUM_HOME: dirname(socketPath) });
  const dockerPool = new StatsPool(
    payload === "stats" ? { name: "docker", ...RESULTS.stats } : poolFigures(0),
  );
  const core = createCore(config, { dockerPool });
  for (let i = 1; payload === "state" && i < POOL_COUNT; i += 1) core.broker.register(toPool(i));
  await core.start();
  return { pid: process.pid, close: () => core.stop() };
}

async function startClient(options: CoreClientOptions, payload: PayloadName): Promise<BenchClient> {
  const core = connectCore(options);
  const call = payload === "stats" ? () => core.dockerTierStats() : () => core.pressureBrokerState();
  await call();
  return {
    issue: (done) => void call().then(done, fail),
    close: () => core.close(),
  };
}

function toPool(i: number): ResourcePool {
  const { name, ...figures } = poolFigures(i);
  return new FakePool(name, figures);
}

/** Docker's tier with figures that cost nothing: what is measured here is how they are carried. */
class StatsPool extends FakePool implements DockerPool {
  readonly evictions: DockerEvictionControl = {
    plan: () => fail("no evictions here"),
    apply: () => fail("no evictions here"),
    undo: () => fail("no evictions here"),
    history: () => ({ records: [], nextBeforeSequence: null, durable: false }),
    close: () => Promise.resolve(),
  };

  constructor({ name, usedBytes, capacityBytes }: ReturnType<typeof poolFigures>) {
    super(name, { usedBytes, capacityBytes });
  }

  tier(): Promise<DockerTierReading> {
    const { usedBytes, capacityBytes } = this;
    return Promise.resolve({
      stats: { usedBytes, capacityBytes, pressure: toPressure(usedBytes, capacityBytes), detected: true },
      probe: { kind: "detected", allocatedBytes: capacityBytes, usedBytes, path: "/" },
      atMs: 0,
    });
  }

  start(): void {
    // Nothing goes on in the background.
  }

  usage(): Promise<never> {
    return Promise.reject(new Error("no usage here"));
  }

  largest(): null {
    return null;
  }

  refreshUsage(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
