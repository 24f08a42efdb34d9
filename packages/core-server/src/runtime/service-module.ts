import type { Clock } from "@continuum/broker-core";
import type { CommandName } from "@continuum/wire-types";
import type { Logger } from "pino";
import type { CommandHandlers } from "./command-handlers.js";
import type { CoreEvent, CoreEventName, EventBus } from "./event-bus.js";

/** What the runtime gives a module when it starts it. */
export interface ModuleContext {
  /** Lines carry the module's name. */
  readonly log: Logger;
  readonly clock: Clock;
  readonly events: EventBus;
  /** Aborts when the core stops. */
  readonly signal: AbortSignal;
}

/**
 * One service of the core: it declares what it needs, and the runtime owns order, routing and cadence.
 *
 * Modules start by ascending `priority`, then by name, and stop in reverse.
 */
export interface ServiceModule {
  readonly name: string;
  readonly priority: number;
  /** What commands it answers: the longest prefix among all modules wins. None: it is never routed to. */
  readonly commandPrefixes: readonly string[];
  readonly eventSubscriptions: readonly CoreEventName[];
  /** Requests it handles at once; more wait in a bounded queue. */
  readonly maxConcurrency: number;
  /** Milliseconds from one tick's due time to the next, asked anew each time if it is a function; null for none. */
  readonly tickIntervalMs: number | (() => number) | null;
  /** Whether the core can't be without it: one that isn't may fail to start, and the others go on. */
  readonly essential: boolean;
  readonly handlers: Partial<CommandHandlers>;
  /** Resolves when the module can answer. */
  start(context: ModuleContext): Promise<void>;
  /** Resolves when nothing of the module runs any more; called once, only after a start that succeeded. */
  stop(): Promise<void>;
  tick(signal: AbortSignal): Promise<void>;
  /** Called in the publisher's turn: what takes long, or waits, belongs into a tick. */
  onEvent(event: CoreEvent): void;
  /** What is wrong with the module although it runs, asked when somebody wants to know; null, or left out, for nothing. */
  problem?(): ModuleProblem | null;
}

/** Why a module is degraded. */
export interface ModuleProblem {
  readonly text: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** A module that handles exactly the commands `C`. */
export type ServiceModuleFor<C extends CommandName> = Omit<ServiceModule, "handlers"> & {
  readonly handlers: Pick<CommandHandlers, C>;
};

/** A module that does nothing: spread it and override what a real one needs. */
export const QUIET_MODULE = {
  priority: 50,
  commandPrefixes: [],
  eventSubscriptions: [],
  maxConcurrency: 64,
  tickIntervalMs: null,
  essential: true,
  handlers: {},
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  tick: () => Promise.resolve(),
  onEvent: () => undefined,
} as const satisfies Omit<ServiceModule, "name">;
