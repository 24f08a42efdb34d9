import { PoolError } from "@continuum/broker-core";
import {
  type DockerPool,
  EVICTION_POLICY_NAMES,
  EvictionError,
  type EvictionPolicyName,
  type PlanWish,
  type Underway,
} from "@continuum/pool-docker";
import { invalidParam, RequestError } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands =
  | "system/docker-tier-usage"
  | "system/docker-evict-plan"
  | "system/docker-evict-apply"
  | "system/docker-evict-history"
  | "system/docker-evict-undo";

const DEFAULT_USAGE_ENTRIES = 100;
const MAX_USAGE_ENTRIES = 10_000;
const DEFAULT_RECORDS = 100;
const MAX_RECORDS = 1_000;
/** Below the time that the command line gives a request. */
const DEFAULT_WAIT_MS = 8_000;
/** Below the time that the server gives a request. */
const MAX_WAIT_MS = 50_000;

/** How often the module looks whether the tier's usage is to be gathered anew. */
const TICK_MS = 15_000;

/** What the module works with; the pool is the caller's, and so is closing it. */
export interface DockerModuleOptions {
  readonly pool: DockerPool;
  /** The policy of a plan that names none. */
  readonly policy: EvictionPolicyName;
  /** The pressure that a plan comes down to unless it says otherwise. */
  readonly target: number;
}

/** Answers who fills Docker's disk, and plans, carries out, lists and takes back evictions for people and programs. */
export function createDockerModule({
  pool,
  policy: ownPolicy,
  target: ownTarget,
}: DockerModuleOptions): ServiceModuleFor<Commands> {
  const { evictions } = pool;
  const handlers: Pick<CommandHandlers, Commands> = {
    "system/docker-tier-usage": ({ limit = DEFAULT_USAGE_ENTRIES, maxAgeMs }, { signal }) => {
      const command = "system/docker-tier-usage";
      requireWhole(command, "limit", limit, 1, MAX_USAGE_ENTRIES);
      if (maxAgeMs !== undefined) requireWhole(command, "maxAgeMs", maxAgeMs, 0);
      return typed(() => pool.usage({ limit, maxAgeMs: maxAgeMs ?? null }, signal));
    },
    "system/docker-evict-plan": ({ policy, wantBytes, target }, { signal, connection }) => {
      const wish = toWish(wantBytes, target, ownTarget);
      // Who may only read may propose a plan, and pushes out none that somebody is about to apply.
      const planner = connection.access === "admin-only" ? "owner" : "guest";
      return typed(() => evictions.plan(wish, toPolicyName(policy, ownPolicy), signal, planner));
    },
    "system/docker-evict-apply": ({ planId, waitMs = DEFAULT_WAIT_MS }, { signal }) => {
      requireWhole("system/docker-evict-apply", "waitMs", waitMs, 0, MAX_WAIT_MS);
      return typed(async () => await stateWithin(await evictions.apply(planId), waitMs, signal));
    },
    "system/docker-evict-history": ({ limit = DEFAULT_RECORDS, beforeSequence, evictionId }) => {
      const command = "system/docker-evict-history";
      requireWhole(command, "limit", limit, 1, MAX_RECORDS);
      if (beforeSequence !== undefined) requireWhole(command, "beforeSequence", beforeSequence, 0);
      return evictions.history({ limit, beforeSequence, evictionId });
    },
    "system/docker-evict-undo": ({ evictionId, image, waitMs = DEFAULT_WAIT_MS }, { signal }) => {
      const command = "system/docker-evict-undo";
      requireWhole(command, "waitMs", waitMs, 0, MAX_WAIT_MS);
      if ((evictionId === undefined) === (image === undefined)) {
        const got = evictionId === undefined ? "neither" : "both";
        throw invalidParam(command, "evictionId", "either evictionId or image", got);
      }
      const what = evictionId === undefined ? { image: image ?? "" } : { evictionId };
      return typed(async () => await stateWithin(await evictions.undo(what), waitMs, signal));
    },
  };
  return {
    ...QUIET_MODULE,
    name: "docker",
    priority: 25,
    essential: false,
    commandPrefixes: ["system/docker-evict-", "system/docker-tier-usage"],
    tickIntervalMs: TICK_MS,
    handlers,
    start: () => {
      pool.start();
      return Promise.resolve();
    },
    tick: (signal) => pool.refreshUsage(signal),
  };
}

/** How far something is at its end, or when no more may be waited for it. */
async function stateWithin<T>(
  { state, ended }: Underway<T>,
  waitMs: number,
  signal: AbortSignal,
): Promise<T> {
  let cancel = (): void => undefined;
  const tooLate = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    const onAbort = (): void => {
      resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    cancel = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
  });
  await Promise.race([ended, tooLate]);
  cancel();
  return state();
}

/** Runs something, with what a peer can act on as a typed failure. */
async function typed<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof EvictionError) throw new RequestError(error.message, error.detail, { cause: error });
    if (error instanceof PoolError && error.code !== "aborted") {
      const { message: reason } = error;
      const detail = { kind: "tierUnavailable", tier: "docker", reason } as const;
      throw new RequestError(`the docker tier can't do that now: ${reason}`, detail, { cause: error });
    }
    throw error;
  }
}

function toWish(wantBytes: number | undefined, target: number | undefined, ownTarget: number): PlanWish {
  const command = "system/docker-evict-plan";
  if (wantBytes === undefined) {
    if (target !== undefined && !(target >= 0 && target <= 1)) {
      throw invalidParam(command, "target", "a ratio from 0 to 1", target);
    }
    return { target: target ?? ownTarget };
  }
  if (target !== undefined) throw invalidParam(command, "target", "nothing beside wantBytes", target);
  requireWhole(command, "wantBytes", wantBytes, 0);
  return { wantBytes };
}

function toPolicyName(text: string | undefined, own: EvictionPolicyName): EvictionPolicyName {
  return EVICTION_POLICY_NAMES.find((name) => name === text) ?? own;
}

function requireWhole(
  command: string,
  path: string,
  value: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const upTo = max === Number.MAX_SAFE_INTEGER ? ` of ${min} or more` : ` from ${min} to ${max}`;
  throw invalidParam(command, path, `a whole number${upTo}`, value);
}
