import type { Clock } from "@continuum/broker-core";
import type { AlertMessage } from "@continuum/wire-types";
import type { Logger } from "pino";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import type { CoreEvent } from "../runtime/event-bus.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import type { AlertSink } from "../sinks/alert-sink.js";
import { ALERTMANAGER_REFRESH_MS } from "../sinks/alertmanager-sink.js";
import type { MessageStore } from "../sinks/kept-messages.js";
import { SinkQueue } from "../sinks/sink-queue.js";

type Commands = "system/alert-sinks";

/** How long a stopping core still delivers, in ms: its stop as a whole promises two seconds. */
const FLUSH_MS = 500;

/** Keeps small JSON values by key, for longer than the core lives. */
export interface WaitingStore {
  load(): ReadonlyMap<string, unknown>;
  /** Null removes it. */
  put(key: string, value: unknown): void;
  /** Whether what is put outlives this core now. */
  isDurable(): boolean;
}

/** What the module works with. */
export interface AlertSinksModuleOptions {
  readonly sinks: readonly AlertSink[];
  readonly clock: Clock;
  readonly log: Logger;
  /** What is open now: what an earlier core left open is told anew. */
  readonly openMessages: () => readonly AlertMessage[];
  /** Keeps what waits for the sinks over a restart; nothing is kept when left out. */
  readonly store?: WaitingStore;
  /** From 0 up to 1, for spreading attempts; `Math.random` when left out. */
  readonly random?: () => number;
}

/** Tells every alert message outside the core, through sinks that have a queue each; answers how they fare. */
export function createAlertSinksModule({
  sinks,
  clock,
  log,
  openMessages,
  store,
  random = Math.random,
}: AlertSinksModuleOptions): ServiceModuleFor<Commands> {
  const keys = sinks.map((_, i) => toKey(sinks, i));
  const queues = sinks.map((sink, i) => {
    const name = toName(sinks, i);
    // The log has what it is told at once: nothing of it waits.
    const isKept = store !== undefined && sink.kind !== "log";
    const kept = isKept ? { store: toMessageStore(store, keys[i] ?? "") } : {};
    return new SinkQueue({ name, sink, clock, log, openMessages, random, ...kept });
  });
  /** What waited for a sink that this core doesn't have any more is nobody's. */
  const forgetOthers = (): void => {
    for (const key of store?.load().keys() ?? []) {
      if (keys.includes(key)) continue;
      store?.put(key, null);
      log.warn(`alerts that waited for ${key} are dropped: there is no such sink any more`);
    }
  };
  const refresh = (): Promise<void> => {
    if (openMessages().length > 0) for (const queue of queues) queue.refresh();
    return Promise.resolve();
  };
  const handlers: Pick<CommandHandlers, Commands> = {
    "system/alert-sinks": () => ({ sinks: queues.map((queue) => queue.status()) }),
  };
  return {
    ...QUIET_MODULE,
    name: "alert-sinks",
    // After the alerts: it asks them what an earlier core left open, and stops before they do.
    priority: 13,
    essential: false,
    commandPrefixes: ["system/alert-sinks"],
    eventSubscriptions: ["alert-message"],
    tickIntervalMs: sinks.some((sink) => sink.refresh !== undefined) ? ALERTMANAGER_REFRESH_MS : null,
    handlers,
    start: () => {
      forgetOthers();
      for (const queue of queues) queue.takeUp();
      return refresh();
    },
    tick: refresh,
    onEvent: (event: CoreEvent) => {
      if (event.name === "alert-message") for (const queue of queues) queue.offer(event.data);
    },
    stop: async () => {
      await Promise.all(queues.map((queue) => queue.close(FLUSH_MS)));
    },
  };
}

/** Its kind, numbered where there are several of one. */
function toName(sinks: readonly AlertSink[], at: number): string {
  const kind = sinks[at]?.kind ?? "log";
  const nth = sinks.slice(0, at + 1).filter((sink) => sink.kind === kind).length;
  return sinks.filter((sink) => sink.kind === kind).length > 1 ? `${kind}-${nth}` : kind;
}

/** Kind and target, which hold no secret, numbered where several have the same: in the order of the configuration. */
function toKey(sinks: readonly AlertSink[], at: number): string {
  const { kind, target } = sinks[at] ?? { kind: "log", target: "" };
  const nth = sinks.slice(0, at + 1).filter((sink) => sink.kind === kind && sink.target === target).length;
  return nth === 1 ? `${kind} ${target}` : `${kind} ${target} ${nth}`;
}

function toMessageStore(store: WaitingStore, key: string): MessageStore {
  return {
    load: () => store.load().get(key),
    put: (value) => store.put(key, value),
    isDurable: () => store.isDurable(),
  };
}
