import type { RustCoreIPCClient } from "@continuum/ipc-client";
import type { PressureForecast, PressureHistory } from "@continuum/wire-types";
import { orNull } from "./status-report.js";

/** What `continuum trend` asks for. */
export interface TrendQuestion {
  /** Null: every pool that the core has. */
  readonly pool: string | null;
  readonly windowMs: number;
  /** Null: the finest that the core gives for that time. */
  readonly resolution: PressureHistory["resolution"] | null;
}

/** What `continuum trend --json` prints. */
export interface TrendReport {
  readonly endpoint: string;
  /** A series a pool, by name. */
  readonly histories: readonly PressureHistory[];
  /** When each of them will be full; null when the core doesn't say. */
  readonly forecasts: readonly PressureForecast[] | null;
}

/** What the trend is read with. */
export type TrendClient = Pick<
  RustCoreIPCClient,
  "endpoint" | "pressureBrokerState" | "pressureBrokerExtension" | "pressureHistory"
>;

/** Asks the core how its pools went; `nowMs` is the end. Rejects for a pool that the core doesn't know. */
export async function readTrend(
  client: TrendClient,
  { pool, windowMs, resolution }: TrendQuestion,
  nowMs: number,
  signal?: AbortSignal,
): Promise<TrendReport> {
  const options = { signal };
  const extension = await orNull(client.pressureBrokerExtension(options));
  const names =
    pool === null ? (await client.pressureBrokerState(options)).pools.map(({ name }) => name) : [pool];
  const fromMs = Math.max(0, Math.round((extension?.atMs ?? nowMs) - windowMs));
  const asked = { fromMs, ...(resolution === null ? {} : { resolution }) };
  const histories = await Promise.all(
    names.sort().map((name) => client.pressureHistory({ pool: name, ...asked }, options)),
  );
  const forecasts = extension?.forecasts.filter(({ name }) => names.includes(name)) ?? null;
  return { endpoint: client.endpoint.url, histories, forecasts };
}
