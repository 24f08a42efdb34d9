import { CommandError, type RustCoreIPCClient } from "@continuum/ipc-client";
import {
  type BrokerSnapshot,
  DecodeError,
  type DockerTierProbe,
  type DockerTierStats,
  type PressureTrend,
} from "@continuum/wire-types";
import { statusWarnings } from "./status-warnings.js";

/** What `continuum status --json` prints. */
export interface StatusReport {
  readonly endpoint: string;
  readonly dockerTier: DockerTierStats;
  readonly probe: DockerTierProbe;
  readonly broker: BrokerSnapshot;
  /** Null when the core doesn't know trends. */
  readonly trends: readonly PressureTrend[] | null;
  /** What a person should do something about, a sentence each. */
  readonly warnings: readonly string[];
}

/** What the status is read with. */
export type StatusClient = Pick<
  RustCoreIPCClient,
  | "endpoint"
  | "dockerTierStats"
  | "dockerTierProbe"
  | "pressureBrokerState"
  | "pressureTrends"
  | "healthCheck"
>;

/** The change of the last minute is shown. */
const TREND_WINDOW_MS = 60_000;

/** Asks the core for everything that the status shows, at once. */
export async function readStatus(client: StatusClient, signal?: AbortSignal): Promise<StatusReport> {
  const options = { signal };
  const [dockerTier, probe, broker, trends, health] = await Promise.all([
    client.dockerTierStats(options),
    client.dockerTierProbe(options),
    client.pressureBrokerState(options),
    orNull(client.pressureTrends({ windowMs: TREND_WINDOW_MS }, options)),
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
    warnings: statusWarnings(dockerTier, evict, inodePressure),
  };
}

/** Null where a core lacks the command, or knows it in another shape: another core of the contract may. */
async function orNull<T>(reply: Promise<T>): Promise<T | null> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof CommandError || error instanceof DecodeError) return null;
    throw error;
  }
}
