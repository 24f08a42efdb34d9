/**
 * What a stranger writes against each published package: checked by several compilers against the
 * packed types, never run. Text, since in the workspace it would be checked against the sources.
 * It says the types that it expects, so that an export that became `any` doesn't pass unseen.
 */
export const CONSUMER_SOURCES: ReadonlyMap<string, string> = new Map([
  [
    "@continuum/wire-types",
    `import { type BrokerSnapshot, brokerSnapshotSchema, type CommandResult, COMMANDS, decodeBrokerSnapshot, DecodeError, type DockerTierStats } from "@continuum/wire-types";
import { createLoopSpin, type LoopSpin } from "@continuum/wire-types/low-latency";
import type { SystemDockerTierStatsParams, SystemDockerTierStatsResult } from "@continuum/wire-types/commands";

export const snapshot: BrokerSnapshot = decodeBrokerSnapshot({});
export const parsed: BrokerSnapshot = brokerSnapshotSchema.parse({});
export const stats: DockerTierStats = COMMANDS["system/docker-tier-stats"].decodeResult({});
export const same: CommandResult<"system/docker-tier-stats"> = stats;
export const params: SystemDockerTierStatsParams = {};
export const spin: LoopSpin = createLoopSpin();
export const pathOf = (error: DecodeError): string => error.path;
export const pressureOf = (result: SystemDockerTierStatsResult): number => result.stats.pressure;
// @ts-expect-error A number is no text; when this compiles, the types are lost.
export const wrong: string = snapshot.globalPressure;
`,
  ],
  [
    "@continuum/broker-core",
    `import { PressureBroker, type ReliefRound, type ResourcePool, toPressure } from "@continuum/broker-core";
import { FakePool, ManualClock } from "@continuum/broker-core/testing";

export const clock = new ManualClock();
export const broker = new PressureBroker({ clock });
export const pool: ResourcePool = new FakePool("docker", { usedBytes: 92, capacityBytes: 100 });
broker.register(pool);
export const round: Promise<ReliefRound> = broker.relieve();
export const pressure: number = toPressure(92, 100);
// @ts-expect-error A pool is registered, not its name; when this compiles, the types are lost.
broker.register("docker");
`,
  ],
  [
    "@continuum/pool-docker",
    `import type { ResourcePool } from "@continuum/broker-core";
import { systemClock } from "@continuum/broker-core";
import { createDockerPool, type DockerPool, parseDockerHost } from "@continuum/pool-docker";

export const pool: DockerPool = createDockerPool({ dockerHost: null, evict: "off", minAgeMs: 86_400_000, clock: systemClock });
export const port: ResourcePool = pool;
export const pressure = async (): Promise<number> => (await pool.tier()).stats.pressure;
export const endpoint = parseDockerHost("unix:///var/run/docker.sock");
// @ts-expect-error No such mode; when this compiles, the types are lost.
createDockerPool({ dockerHost: null, evict: "everything", minAgeMs: 0, clock: systemClock });
`,
  ],
  [
    "@continuum/pool-memory",
    `import type { ResourcePool } from "@continuum/broker-core";
import { MemoryPagedPool, type Pin } from "@continuum/pool-memory";
import type { PoolStats } from "@continuum/wire-types";

export const pool = new MemoryPagedPool<string, Uint8Array>({ name: "pages", capacityBytes: 1024, sizeOf: (page) => page.byteLength });
export const port: ResourcePool = pool;
export const stats: PoolStats = pool.stats();
export const page: Promise<Uint8Array> = pool.get("a", () => new Uint8Array(1));
export const pin: Pin<Uint8Array> | null = pool.pin("a");
// @ts-expect-error Another kind of value; when this compiles, the types are lost.
pool.put("a", "text");
`,
  ],
  [
    "@continuum/pool-directory",
    `import type { ResourcePool } from "@continuum/broker-core";
import { CacheRootError, type CacheStatus, DirectoryCachePool } from "@continuum/pool-directory";

export const pool = new DirectoryCachePool({ name: "cache-models", root: "/srv/models", maxBytes: null, evict: "off", minAgeMs: 0 });
export const port: ResourcePool = pool;
export const status = (signal: AbortSignal): Promise<CacheStatus> => pool.status(signal);
export const isUsage = (error: unknown): boolean => error instanceof CacheRootError;
// @ts-expect-error No such mode; when this compiles, the types are lost.
new DirectoryCachePool({ name: "cache", root: "/srv", maxBytes: null, evict: "all", minAgeMs: 0 });
`,
  ],
  [
    "@continuum/ipc-client",
    `import { connectCore, ConnectionError, type RustCoreIPCClient } from "@continuum/ipc-client";
import { type Endpoint, resolveEndpoint, resolveToken } from "@continuum/ipc-client/address";
import { type ServablePool, servePool } from "@continuum/ipc-client/pool";
import { ScriptedPeer } from "@continuum/ipc-client/testing";
import type { DockerTierStats, PressureAlert } from "@continuum/wire-types";

export const client: RustCoreIPCClient = connectCore({ url: "unix:///tmp/core.sock" });
export const stats = async (): Promise<DockerTierStats> => client.dockerTierStats({ timeoutMs: 2_000 });
export async function first(): Promise<PressureAlert | null> {
  for await (const alert of client.events("pressure-alert")) return alert;
  return null;
}
export const isRefused = (error: ConnectionError): boolean => error.code === "refused";
export const peer: typeof ScriptedPeer = ScriptedPeer;
export const endpoint: Endpoint = resolveEndpoint({}, "unix:///tmp/core.sock");
export const token: string | null = resolveToken(endpoint, {});
export const served = (pool: ServablePool): Promise<void> => servePool(client, pool, { reportEveryMs: 1_000 });
// @ts-expect-error The params of a command are checked; when this compiles, the types are lost.
void client.pressureTrends({ windowMs: "60000" });
`,
  ],
  [
    "@continuum/server-commands",
    `import { connectCore } from "@continuum/ipc-client";
import { createServerCommands, type ServerCommand, SystemDockerTierStatsServerCommand } from "@continuum/server-commands";

export const commands = createServerCommands(connectCore());
export const pressure = async (): Promise<number> =>
  (await commands["system/docker-tier-stats"].execute()).stats.pressure;
export const one = new SystemDockerTierStatsServerCommand(connectCore());
export const run = <P, R>(command: ServerCommand<P, R>, params: P): Promise<R> => command.execute(params);
// @ts-expect-error No such command; when this compiles, the types are lost.
void commands["system/no-such-command"];
`,
  ],
  [
    "@continuum/core-server",
    `import { type Core, type CoreConfig, createCore, EXIT_CODE, resolveConfig } from "@continuum/core-server";

export const config: CoreConfig = resolveConfig({ tickMs: "1000" }, {});
export const core: Core = createCore(config);
core.events.subscribe(["pressure-alert"], ({ data }) => data);
export const endpoint: string = core.endpoint;
export const stopped: number = EXIT_CODE.stopped;
// @ts-expect-error Flags are text; when this compiles, the types are lost.
resolveConfig({ tickMs: 1000 }, {});
`,
  ],
  [
    "@continuum/cli",
    `import { type CliContext, EXIT_CODE, runCli } from "@continuum/cli";

const out = { write: (text: string): boolean => text !== "" };
export const context: CliContext = { args: ["--version"], env: {}, stdout: out, stderr: out };
export const code: Promise<number> = runCli(context);
export const ok: number = EXIT_CODE.ok;
// @ts-expect-error Arguments are a list; when this compiles, the types are lost.
void runCli({ ...context, args: "--version" });
`,
  ],
]);
