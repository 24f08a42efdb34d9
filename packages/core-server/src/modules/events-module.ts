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
    eventSubscriptions: ["pressure-alert"],
    handlers,
    onEvent: (event: CoreEvent) => {
      if (event.name === "pressure-alert") push(event.name, event.data);
    },
  };
}
