import type { EvictionEvent } from "@continuum/wire-types";
import type { ReliefOutcome } from "@continuum/broker-core";
import type { CommandHandlers, PushedEventName } from "../runtime/command-handlers.js";
import type { CoreEvent } from "../runtime/event-bus.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "events/subscribe" | "events/unsubscribe";

/** Answers `events/subscribe` and `events/unsubscribe`, and hands each event to `push` for those who subscribed. */
export function createEventsModule(
  push: (event: PushedEventName, data: unknown) => void,
): ServiceModuleFor<Commands> {
  const handlers: Pick<CommandHandlers, Commands> = {
    "events/subscribe": ({ events }, { connection }) => {
      for (const event of events) connection.subscribe(event);
      return { events: [...connection.subscriptions] };
    },
    "events/unsubscribe": ({ events }, { connection }) => {
      for (const event of events) connection.unsubscribe(event);
      return { events: [...connection.subscriptions] };
    },
  };
  return {
    ...QUIET_MODULE,
    name: "events",
    priority: 10,
    commandPrefixes: ["events/"],
    eventSubscriptions: ["pressure-alert", "broker-state", "relief-outcome", "alert-message"],
    handlers,
    onEvent: (event: CoreEvent) => {
      switch (event.name) {
        case "broker-state":
          push("pressure-state", event.data);
          return;
        case "relief-outcome":
          push("eviction", toEvictionEvent(event.data));
          return;
        default:
          push(event.name, event.data);
      }
    },
  };
}

function toEvictionEvent({ deleted, wouldDelete, dryRun, ...outcome }: ReliefOutcome): EvictionEvent {
  const { pool, wantBytes, claimedBytes, freedBytes, measured, shortfall, startedAtMs, endedAtMs } = outcome;
  return {
    pool,
    wantBytes,
    claimedBytes,
    freedBytes,
    measured,
    deletedCount: dryRun ? wouldDelete.length : deleted.length,
    dryRun,
    shortfall,
    startedAtMs,
    endedAtMs,
  };
}
