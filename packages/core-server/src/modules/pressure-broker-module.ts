import type { PressureBroker } from "@continuum/broker-core";
import { invalidParam } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { type ModuleContext, QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "system/pressure-broker-state" | "system/pressure-trends";

const DEFAULT_WINDOW_MS = 60_000;
const MAX_WINDOW_MS = 600_000;

/** What the module needs; the broker is the caller's, and so is closing it. */
export interface PressureBrokerModuleOptions {
  readonly broker: PressureBroker;
  readonly tickMs: number;
}

/**
 * Runs the broker: a round of relief at the start, so that the first answer has figures, and one every tick.
 *
 * Publishes each alert, what the evictions of a round came to, and the state after its readings. `broker` is there
 * for other parts that register pools.
 */
export function createPressureBrokerModule({
  broker,
  tickMs,
}: PressureBrokerModuleOptions): ServiceModuleFor<Commands> & { readonly broker: PressureBroker } {
  let context: ModuleContext | null = null;
  let removeSink = (): void => undefined;

  // The evictions of a round aren't awaited: one may take minutes, and the next readings must not wait for it.
  const relieve = async (signal: AbortSignal): Promise<void> => {
    await broker.relieve(signal);
    if (!signal.aborted) context?.events.publish({ name: "broker-state", data: broker.snapshot() });
  };

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/pressure-broker-state": () => broker.snapshot(),
    "system/pressure-trends": ({ windowMs = DEFAULT_WINDOW_MS }) => {
      if (!Number.isSafeInteger(windowMs) || windowMs < 1 || windowMs > MAX_WINDOW_MS) {
        const expected = `whole milliseconds from 1 to ${MAX_WINDOW_MS}`;
        throw invalidParam("system/pressure-trends", "windowMs", expected, windowMs);
      }
      return broker.trends(windowMs);
    },
  };

  return {
    ...QUIET_MODULE,
    name: "pressure-broker",
    priority: 20,
    commandPrefixes: ["system/pressure-"],
    tickIntervalMs: () => broker.nextTickMs(tickMs),
    handlers,
    broker,
    start: async (started: ModuleContext) => {
      context = started;
      const { events } = started;
      removeSink = broker.addAlertSink((alert, outcome) => {
        events.publish({ name: "pressure-alert", data: alert });
        events.publish({ name: "relief-outcome", data: outcome });
      });
      await relieve(started.signal);
    },
    stop: async () => {
      await broker.close();
      removeSink();
    },
    tick: relieve,
  };
}
