import type { EvictMode } from "@continuum/pool-docker";
import type { Endpoint } from "../ipc/endpoint.js";
import type { TokenSource } from "../ipc/token-file.js";
import type { AlertWebhook } from "./alert-webhooks.js";

/** From the most to the least talkative. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** How much goes to the structured log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A directory that is watched as a cache. */
export interface CacheDirectory {
  /** Its pool is `cache-NAME`. */
  readonly name: string;
  readonly path: string;
  /** Its budget; null: as much as its filesystem holds. */
  readonly maxBytes: number | null;
}

/** Everything a core can be told, decoded and checked. */
export interface CoreConfig {
  readonly endpoint: Endpoint;
  /** A second socket, for those who may read only; null for none. */
  readonly readEndpoint: (Endpoint & { readonly kind: "unix" }) | null;
  /** The token that connections over TCP owe. */
  readonly token: TokenSource;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Where the Docker engine is (`unix://` or `tcp://`); null: the platform's usual places. */
  readonly dockerHost: string | null;
  /** From one round to the next while all is calm, in ms; a pool that fills fast is read more often. */
  readonly tickMs: number;
  /** The pressure (a ratio) at which relief starts. */
  readonly actAbove: number;
  /** The pressure (a ratio) down to which a relief that has begun goes on; null: halfway between target and start. */
  readonly stopBelow: number | null;
  /** The least share of the capacity that a relief asks for. */
  readonly floor: number;
  /** How long after a relief that succeeded no new one begins, unless the pool is critical. */
  readonly cooldownMs: number;
  /** The pressure (a ratio) that relief aims for. */
  readonly target: number;
  /** Nothing younger is deleted, by kind. */
  readonly minAgeMs: { readonly image: number; readonly container: number; readonly buildCache: number };
  /** Images used less than this ago are not deleted. */
  readonly minIdleMs: number;
  readonly evict: EvictMode;
  /** `KEY=VALUE`, or `KEY` for any value: what carries this label is never deleted. */
  readonly keepLabel: string;
  /** Images whose references match one of these patterns are never deleted. */
  readonly keepReferences: readonly string[];
  /** So many of the newest images of each repository are never deleted. */
  readonly keepNewestPerRepository: number;
  /** How much a remote engine's disk holds, which its API doesn't say; null when nobody said. */
  readonly dockerCapacityBytes: number | null;
  /** Model and package caches. */
  readonly caches: readonly CacheDirectory[];
  /** Whether anything in a cache may be deleted. */
  readonly cacheEvict: "off" | "on";
  /** Nothing in a cache that was used or changed later than so long ago is deleted. */
  readonly cacheMinAgeMs: number;
  /** Entries of caches that match one of these patterns are never deleted. */
  readonly cacheKeep: readonly string[];
  /** A program that says alerts, and its arguments with `{text}`; null for none. */
  readonly alertCommand: readonly string[] | null;
  readonly alertWebhooks: readonly AlertWebhook[];
  /** What signs json webhooks, and the file that holds it, which goes first; null where not given. */
  readonly alertSecret: string | null;
  readonly alertSecretFile: string | null;
  readonly alertmanagerUrl: URL | null;
  /** What alerts call this machine; null: its host name. */
  readonly alertInstance: string | null;
  /** Where what outlives the core is kept: counters, episodes, ledgers, uses of images, readings. */
  readonly stateDirectory: string;
  /** Whether the event loop is kept polling for a moment after a reply. */
  readonly lowLatency: boolean;
  /** Null: warn when the log goes to a terminal, info otherwise. */
  readonly logLevel: LogLevel | null;
}
