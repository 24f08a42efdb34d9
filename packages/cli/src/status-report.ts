import { CommandError, type RustCoreIPCClient } from "@continuum/ipc-client";
import {
  type AlertMessage,
  type BrokerSnapshot,
  DecodeError,
  type DockerTierProbe,
  type DockerTierStats,
  type PoolRelief,
  type PressureForecast,
  type PressureTrend,
} from "@continuum/wire-types";
import { type EvictMode, statusWarnings } from "./status-warnings.js";

/** What `continuum status --json` prints. */
export interface StatusReport {
  readonly endpoint: string;
  readonly dockerTier: DockerTierStats;
  readonly probe: DockerTierProbe;
  readonly broker: BrokerSnapshot;
  /** Null when the core doesn't know trends. */
  readonly trends: readonly PressureTrend[] | null;
  /** When each pool will be full, where its relief stands, and the episodes that last; null when the core doesn't say. */
  readonly extension: StatusExtension | null;
  /** What the core may delete of Docker's; null when it doesn't say. */
  readonly evict: EvictMode;
  /** What a person should do something about, a sentence each. */
  readonly warnings: readonly string[];
}

/** What a core may know beyond the contract's snapshot. */
export interface StatusExtension {
  /** When it was made, by the core's clock. */
  readonly atMs: number;
  readonly forecasts: readonly PressureForecast[];
  readonly relief: readonly PoolRelief[];
  readonly episodes: readonly AlertMessage[];
}

/** What the status is read with. */
export type StatusClient = Pick<
  RustCoreIPCClient,
  | "endpoint"
  | "dockerTierStats"
  | "dockerTierProbe"
  | "pressureBrokerState"
  | "pressureBrokerExtension"
  | "pressureTrends"
  | "healthCheck"
>;

/** The change of the last minute is shown. */
const TREND_WINDOW_MS = 60_000;

/** Asks the core for everything that the status shows, at once. */
export async function readStatus(client: StatusClient, signal?: AbortSignal): Promise<StatusReport> {
  const options = { signal };
  const [dockerTier, probe, broker, trends, extension, health] = await Promise.all([
    client.dockerTierStats(options),
    client.dockerTierProbe(options),
    client.pressureBrokerState(options),
    orNull(client.pressureTrends({ windowMs: TREND_WINDOW_MS }, options)),
    orNull(client.pressureBrokerExtension(options)),
    orNull(client.healthCheck(options)),
  ]);
  const evict = health?.evict ?? null;
  const view = broker.pools.find(({ name }) => name === "docker");
  // The broker's pressure is above that of its bytes where inodes run out first.
  const inodePressure = view !== undefined && view.pressure > view.stats.pressure ? view.pressure : null;
  return {
    endpoint: client.endpoint.url,
    dockerTier,
    probe,
    broker,
    trends: trends?.trends ?? null,
    extension: extension === null ? null : toExtension(extension),
    evict,
    warnings: statusWarnings(dockerTier, evict, inodePressure),
  };
}

/** Without the snapshot, which the report has already. */
function toExtension({ atMs, forecasts, relief, episodes }: StatusExtension): StatusExtension {
  return { atMs, forecasts, relief, episodes };
}

/** Null where a core lacks the command, or knows it in another shape: another core of the contract may. */
export async function orNull<T>(reply: Promise<T>): Promise<T | null> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof CommandError || error instanceof DecodeError) return null;
    throw error;
  }
}
