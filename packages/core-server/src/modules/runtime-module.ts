import type { Clock } from "@continuum/broker-core";
import type { IpcMetrics, RuntimeModule, RuntimeModuleMetrics, RuntimeState } from "@continuum/wire-types";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "runtime/list" | "runtime/metrics" | "runtime/ipc";

/** What the module tells of. */
export interface RuntimeModuleOptions {
  readonly clock: Clock;
  readonly startedAtMs: number;
  readonly isReady: () => boolean;
  readonly list: () => readonly RuntimeModule[];
  readonly metrics: () => readonly RuntimeModuleMetrics[];
  readonly ipc: () => IpcMetrics;
  /** How late the event loop is, in so large a share of the cases at most; null before it was measured. */
  readonly delayMs: (share: number) => number | null;
  readonly state: () => RuntimeState;
  /** Promises that failed and that nobody waited for. */
  readonly unhandledRejections: () => number;
}

/** Answers how the core's modules are, and what they and its process did. */
export function createRuntimeModule({
  clock,
  startedAtMs,
  isReady,
  list,
  metrics,
  ipc,
  delayMs,
  state,
  unhandledRejections,
}: RuntimeModuleOptions): ServiceModuleFor<Commands> {
  const startedMs = clock.monotonicMs();
  const handlers: Pick<CommandHandlers, Commands> = {
    "runtime/list": () => ({
      ready: isReady(),
      modules: [...list()],
      state: state(),
      unhandledRejections: unhandledRejections(),
    }),
    "runtime/ipc": () => ipc(),
    "runtime/metrics": () => {
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      return {
        atMs: clock.nowMs(),
        startedAtMs,
        ready: isReady(),
        uptimeSeconds: Math.max(0, (clock.monotonicMs() - startedMs) / 1000),
        cpuSeconds: (user + system) / 1e6,
        rssBytes: rss,
        heapUsedBytes: heapUsed,
        eventLoopDelayP50Ms: delayMs(0.5) ?? 0,
        eventLoopDelayP99Ms: delayMs(0.99) ?? 0,
        connections: ipc().connections,
        modules: [...metrics()],
      };
    },
  };
  return {
    ...QUIET_MODULE,
    name: "runtime",
    priority: 5,
    commandPrefixes: ["runtime/"],
    handlers,
  };
}
