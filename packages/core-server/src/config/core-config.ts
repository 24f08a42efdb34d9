import type { EvictMode } from "@continuum/pool-docker";
import type { Endpoint } from "../ipc/endpoint.js";

/** From the most to the least talkative. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** How much goes to the structured log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Everything a core can be told, decoded and checked. */
export interface CoreConfig {
  readonly endpoint: Endpoint;
  /** Where the Docker engine is (`unix://` or `tcp://`); null: the platform's usual places. */
  readonly dockerHost: string | null;
  /** From one relief round to the next. */
  readonly tickMs: number;
  /** The pressure (a ratio) at which relief starts. */
  readonly actAbove: number;
  /** The pressure (a ratio) that relief aims for. */
  readonly target: number;
  /** Nothing younger is deleted. */
  readonly minAgeMs: number;
  readonly evict: EvictMode;
  /** `KEY=VALUE`, or `KEY` for any value: what carries this label is never deleted. */
  readonly keepLabel: string;
  /** Null: warn when the log goes to a terminal, info otherwise. */
  readonly logLevel: LogLevel | null;
}
