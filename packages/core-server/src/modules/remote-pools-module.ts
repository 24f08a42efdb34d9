import {
  type Clock,
  PolicyError,
  type PoolPolicy,
  type PressureBroker,
  toPoolPolicy,
} from "@continuum/broker-core";
import type { CommandName, CommandParams } from "@continuum/wire-types";
import { randomUUID } from "node:crypto";
import { type PoolReport, RemotePool } from "../remote-pools/remote-pool.js";
import { invalidParam, RequestError } from "../request-error.js";
import type { CommandHandlers, RequestConnection } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "system/pool-register" | "system/pool-report" | "system/pool-unregister";

/** Pools of one connection, and of all. */
const MAX_PER_CONNECTION = 64;
const MAX_POOLS = 1_024;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/u;
const MIN_REPORT_MS = 100;
const MAX_REPORT_MS = 600_000;
/** How often silent pools are looked for, in ms. */
const TICK_MS = 5_000;
const MAX_ERROR_TEXT = 500;

interface Registered {
  readonly pool: RemotePool;
  /** Whose pool it is; null once that connection is lost: then anybody may take it over. */
  owner: RequestConnection | null;
  /** It is gone, and is forgotten once the broker has told how its last eviction ended. */
  isLeaving: boolean;
  stopListening: () => void;
}

/** What the module works with; the broker is the caller's. */
export interface RemotePoolsModuleOptions {
  readonly broker: PressureBroker;
  readonly clock: Clock;
  /** What a pool gets that brings no policy of its own. */
  readonly policy: Partial<PoolPolicy>;
}

/**
 * Takes pools of other processes under the broker. Each belongs to the connection that registered it: only that one
 * reports, and gets the eviction requests. When it is lost, or silent, the pool is stale, and after a while forgotten.
 */
export function createRemotePoolsModule({
  broker,
  clock,
  policy,
}: RemotePoolsModuleOptions): ServiceModuleFor<Commands> & {
  /** How long a pool may be silent before it is gone, in ms; null when there is no such pool of another process. */
  goneAfterMs(name: string): number | null;
} {
  const pools = new Map<string, Registered>();

  const remove = (name: string): boolean => {
    const registered = pools.get(name);
    if (registered === undefined) return false;
    registered.stopListening();
    registered.pool.disconnect();
    pools.delete(name);
    // Somebody else may have registered a pool of this name with the broker since.
    if (broker.pools().includes(registered.pool)) broker.unregister(name);
    return true;
  };

  const register = (
    params: CommandParams<"system/pool-register">,
    connection: RequestConnection,
  ): RemotePool => {
    const command = "system/pool-register";
    const { name, reportEveryMs } = params;
    if (!NAME.test(name))
      throw invalidParam(
        command,
        "name",
        "1 to 64 of a-z, 0-9, dot, dash, underscore, the first a letter or digit",
        name,
      );
    requireWhole(command, "reportEveryMs", reportEveryMs, MIN_REPORT_MS, MAX_REPORT_MS);
    const first = toReport(command, params, null);
    const own = toPolicy(params, policy);
    const before = pools.get(name);
    if (before === undefined && broker.pools().some((pool) => pool.name === name)) {
      throw taken(name, "a pool of the core's own");
    }
    if (before !== undefined && before.owner !== null && before.owner !== connection) {
      throw taken(name, "another connection's, which is open");
    }
    requireRoom(pools, connection, before);
    remove(name);
    const pool = new RemotePool(name, first, { clock, reportEveryMs, idPrefix: randomUUID() }, (request) =>
      connection.send("pool-evict", request),
    );
    const registered: Registered = {
      pool,
      owner: connection,
      isLeaving: false,
      stopListening: () => undefined,
    };
    pools.set(name, registered);
    // Called at once where the connection has closed meanwhile.
    registered.stopListening = connection.onClosed(() => {
      registered.owner = null;
      pool.disconnect();
    });
    broker.register(pool, own);
    return pool;
  };

  const owned = (command: CommandName, name: string, connection: RequestConnection): Registered => {
    const registered = pools.get(name);
    if (registered?.owner !== connection || registered.isLeaving) {
      throw invalidParam(command, "name", "a pool that this connection has registered", name);
    }
    return registered;
  };

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/pool-register": (params, { connection }) => {
      const { name, staleAfterMs, goneAfterMs } = register(params, connection);
      return { name, staleAfterMs, goneAfterMs };
    },
    "system/pool-report": (params, { connection }) => {
      const command = "system/pool-report";
      const { name, evictionId, freedBytes = 0, error } = params;
      const { pool } = owned(command, name, connection);
      requireWhole(command, "freedBytes", freedBytes, 0, Number.MAX_SAFE_INTEGER);
      const report = toReport(command, params, pool.lastReport);
      const answer =
        evictionId === undefined
          ? null
          : { evictionId, freedBytes, error: error?.slice(0, MAX_ERROR_TEXT) ?? null };
      if (!pool.report(report, answer)) {
        const expected = "an eviction that is open (the figures were taken)";
        throw invalidParam(command, "evictionId", expected, evictionId);
      }
      return { name, staleAfterMs: pool.staleAfterMs };
    },
    "system/pool-unregister": ({ name }, { connection }) => {
      const isOwn = pools.get(name)?.owner === connection;
      return { name, removed: isOwn && remove(name) };
    },
  };
  return {
    ...QUIET_MODULE,
    name: "remote-pools",
    priority: 22,
    essential: false,
    commandPrefixes: ["system/pool-"],
    tickIntervalMs: TICK_MS,
    handlers,
    goneAfterMs: (name) => pools.get(name)?.pool.goneAfterMs ?? null,
    tick: () => {
      for (const [name, registered] of pools) {
        const { pool, isLeaving } = registered;
        if (!isLeaving && !pool.isGone) continue;
        if (pool.isEvicting) {
          // Of a pool that it has no longer the broker wouldn't tell how the eviction ended.
          registered.isLeaving = true;
          pool.disconnect();
        } else remove(name);
      }
      return Promise.resolve();
    },
    stop: () => {
      for (const name of [...pools.keys()]) remove(name);
      return Promise.resolve();
    },
  };
}

/** A pool that is known already takes up no more room, but one of a lost connection becomes this one's. */
function requireRoom(
  pools: ReadonlyMap<string, Registered>,
  connection: RequestConnection,
  before: Registered | undefined,
): void {
  if (before?.owner === connection) return;
  const own = [...pools.values()].filter(({ owner }) => owner === connection).length;
  const reason =
    own >= MAX_PER_CONNECTION
      ? `this connection has ${MAX_PER_CONNECTION} pools`
      : before === undefined && pools.size >= MAX_POOLS
        ? `there are ${MAX_POOLS} pools of other processes`
        : null;
  if (reason === null) return;
  throw new RequestError(`overloaded: ${reason}`, { kind: "overloaded", reason });
}

type Figures = Omit<CommandParams<"system/pool-report">, "name">;

function toReport(command: CommandName, figures: Figures, before: PoolReport | null): PoolReport {
  const { usedBytes, capacityBytes = before?.capacityBytes ?? 0, reclaimableBytes = null } = figures;
  const counters = {
    entryCount: figures.entryCount ?? 0,
    pinnedCount: figures.pinnedCount ?? 0,
    hitCount: figures.hitCount ?? 0,
    missCount: figures.missCount ?? 0,
    evictionCount: figures.evictionCount ?? 0,
    inflightCount: figures.inflightCount ?? 0,
  };
  for (const [path, value] of Object.entries({ usedBytes, capacityBytes, ...counters })) {
    requireWhole(command, path, value, 0, Number.MAX_SAFE_INTEGER);
  }
  if (reclaimableBytes !== null) {
    requireWhole(command, "reclaimableBytes", reclaimableBytes, 0, Number.MAX_SAFE_INTEGER);
  }
  return { usedBytes, capacityBytes, reclaimableBytes, counters };
}

function toPolicy(
  { actAbove, stopBelow, target, floor }: CommandParams<"system/pool-register">,
  defaults: Partial<PoolPolicy>,
): Partial<PoolPolicy> {
  const own = Object.fromEntries(
    Object.entries({ actAbove, stopBelow, target, floor }).filter(([, value]) => value !== undefined),
  ) as Partial<PoolPolicy>;
  try {
    toPoolPolicy({ ...defaults, ...own });
    return own;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const field = ownField(error.field, own);
    // What is wrong of the field itself needs its name no second time.
    const expected = field === error.field ? error.expected : error.message;
    throw invalidParam("system/pool-register", field, expected, own[field] ?? "the core's");
  }
}

/** The field to blame: where a default of the core's is refused, what the caller gave doesn't go with it. */
function ownField(refused: keyof PoolPolicy, own: Partial<PoolPolicy>): keyof PoolPolicy {
  return (
    [refused, "target" as const, "actAbove" as const].find((field) => own[field] !== undefined) ?? refused
  );
}

function taken(name: string, whose: string): RequestError {
  const expected = "a name that nobody else has";
  return invalidParam("system/pool-register", "name", expected, `${name}, which is ${whose}`);
}

function requireWhole(command: CommandName, path: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw invalidParam(command, path, `a whole number from ${min} to ${max}`, value);
}
