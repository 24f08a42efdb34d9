import type { Clock } from "@continuum/broker-core";
import type { AlertMessage } from "@continuum/wire-types";
import type { Logger } from "pino";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import type { CoreEvent } from "../runtime/event-bus.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import type { AlertSink } from "../sinks/alert-sink.js";
import { ALERTMANAGER_REFRESH_MS } from "../sinks/alertmanager-sink.js";
import { SinkQueue } from "../sinks/sink-queue.js";

type Commands = "system/alert-sinks";

/** How long a stopping core still delivers, in ms: its stop as a whole promises two seconds. */
const FLUSH_MS = 500;

/** What the module works with. */
export interface AlertSinksModuleOptions {
  readonly sinks: readonly AlertSink[];
  readonly clock: Clock;
  readonly log: Logger;
  /** What is open now: what an earlier core left open is told anew. */
  readonly openMessages: () => readonly AlertMessage[];
  /** From 0 up to 1, for spreading attempts; `Math.random` when left out. */
  readonly random?: () => number;
}

/** Tells every alert message outside the core, through sinks that have a queue each; answers how they fare. */
export function createAlertSinksModule({
  sinks,
  clock,
  log,
  openMessages,
  random = Math.random,
}: AlertSinksModuleOptions): ServiceModuleFor<Commands> {
  const queues = sinks.map((sink, i) => {
    const name = toName(sinks, i);
    return new SinkQueue({ name, sink, clock, log, openMessages, random });
  });
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
    start: refresh,
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
