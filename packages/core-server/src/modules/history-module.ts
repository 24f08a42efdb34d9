import { type PressureBroker, toBindingPressure } from "@continuum/broker-core";
import type { PressureHistory } from "@continuum/wire-types";
import { invalidParam, RequestError } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { type CoreEvent } from "../runtime/event-bus.js";
import { type ModuleProblem, QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import type { RecordKeeper } from "../state/record-keeper.js";
import { KEPT_MS, POINT_MS, type Resolution } from "../state/record-store.js";

type Commands = "system/pressure-history";

const COMMAND = "system/pressure-history";
const DAY_MS = 86_400_000;
const DEFAULT_POINTS = 2_000;
const MAX_POINTS = 10_000;
/** Readings of a pool are kept no more often than this, in ms, however fast the core ticks. */
const KEEP_EVERY_MS = 1_000;
/** From the finest to the coarsest, with what a raw point usually lasts. */
const RESOLUTIONS: readonly (readonly [Resolution, number])[] = [
  ["raw", 5_000],
  ["minute", POINT_MS.minute],
  ["hour", POINT_MS.hour],
];

/** How often the state's own space is looked after, in ms. */
const MAINTAIN_EVERY_MS = 15_000;

/** What the module works with, all of it the caller's. */
export interface HistoryModuleOptions {
  readonly broker: PressureBroker;
  readonly keeper: RecordKeeper;
  readonly nowMs: () => number;
  /** Called now and then, for what the core keeps on disk. */
  readonly maintain: () => void;
  /** Why what is kept may be lost; null when all is well. */
  readonly problem: () => ModuleProblem | null;
}

/** Keeps the readings of all pools and the broker's counters, and answers how a pool's pressure went. */
export function createHistoryModule({
  broker,
  keeper,
  nowMs,
  maintain,
  problem,
}: HistoryModuleOptions): ServiceModuleFor<Commands> {
  const keptAtMs = new Map<string, number>();
  let counters = broker.counters;

  const keepReadings = (): void => {
    const names = new Set<string>();
    for (const { name } of broker.pools()) {
      names.add(name);
      const reading = broker.reading(name);
      if (reading === null || reading.stale || !reading.detected) continue;
      const atMs = nowMs();
      // The clock may have been set back: then the next reading counts all the same.
      if (Math.abs(atMs - (keptAtMs.get(name) ?? -Infinity)) < KEEP_EVERY_MS) continue;
      keptAtMs.set(name, atMs);
      const { usedBytes, capacityBytes } = reading;
      keeper.add({
        pool: name,
        atMs,
        usedBytes,
        capacityBytes,
        pressure: toBindingPressure(reading).pressure,
      });
    }
    for (const name of keptAtMs.keys()) if (!names.has(name)) keptAtMs.delete(name);
  };

  const keepCounters = (): void => {
    if (broker.counters === counters) return;
    counters = broker.counters;
    keeper.put("broker", "counters", counters);
  };

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/pressure-history": ({ pool, fromMs, toMs = nowMs() + 1, resolution, limit = DEFAULT_POINTS }) => {
      requireWhole("limit", limit, 1, MAX_POINTS);
      requireWhole("toMs", toMs, 0, Number.MAX_SAFE_INTEGER);
      const from = fromMs ?? Math.max(0, toMs - DAY_MS);
      requireWhole("fromMs", from, 0, toMs);
      const asked = resolution ?? finest(from, toMs, nowMs());
      // One more than asked for tells whether there are more.
      const points = keeper.series({ pool, resolution: asked, fromMs: from, toMs, limit: limit + 1 });
      if (points.length === 0) requireKnown(pool, broker);
      const truncated = points.length > limit;
      const history: PressureHistory = {
        pool,
        resolution: asked,
        fromMs: from,
        toMs,
        truncated,
        points: points.slice(truncated ? 1 : 0),
      };
      return history;
    },
  };
  return {
    ...QUIET_MODULE,
    name: "history",
    priority: 15,
    essential: false,
    commandPrefixes: [COMMAND],
    eventSubscriptions: ["broker-state", "relief-outcome"],
    tickIntervalMs: MAINTAIN_EVERY_MS,
    handlers,
    problem,
    tick: () => {
      maintain();
      return Promise.resolve();
    },
    onEvent: (event: CoreEvent) => {
      if (event.name === "broker-state") keepReadings();
      keepCounters();
    },
    stop: () => {
      keepCounters();
      keeper.flush();
      return Promise.resolve();
    },
  };
}

/** The finest resolution that is kept for that long and gives no more points than usual. */
function finest(fromMs: number, toMs: number, nowMs: number): Resolution {
  const found = RESOLUTIONS.find(
    ([name, stepMs]) => nowMs - fromMs <= KEPT_MS[name] && (toMs - fromMs) / stepMs <= DEFAULT_POINTS,
  );
  return found?.[0] ?? "hour";
}

function requireKnown(pool: string, broker: PressureBroker): void {
  const known = broker.pools().map(({ name }) => name);
  if (known.includes(pool)) return;
  const tier = pool.slice(0, 100);
  const reason = `there is no such pool, and there was none in that time; pools: ${known.join(", ") || "none"}`;
  throw new RequestError(`${COMMAND}: ${tier}: ${reason}`, { kind: "tierUnavailable", tier, reason });
}

function requireWhole(path: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw invalidParam(COMMAND, path, `a whole number from ${min} to ${max}`, value);
}
