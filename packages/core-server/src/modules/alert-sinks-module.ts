import type { Logger } from "pino";
import type { CoreEvent } from "../runtime/event-bus.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import { logAlert } from "../sinks/log-alert.js";

/** Tells every alert message outside the core: in its log. */
export function createAlertSinksModule(log: Logger): ServiceModuleFor<never> {
  return {
    ...QUIET_MODULE,
    name: "alert-sinks",
    priority: 11,
    essential: false,
    eventSubscriptions: ["alert-message"],
    handlers: {},
    onEvent: (event: CoreEvent) => {
      if (event.name === "alert-message") logAlert(log, event.data);
    },
  };
}
