import type { Clock } from "@continuum/broker-core";
import type { IpcMetrics, RuntimeModule, RuntimeModuleMetrics } from "@continuum/wire-types";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "runtime/list" | "runtime/metrics" | "runtime/ipc";

/** How exactly the event loop's delay is measured, in ms: each measurement wakes the process. */
const DELAY_RESOLUTION_MS = 1_000;
const NS_PER_MS = 1e6;

/** What the module tells of. */
export interface RuntimeModuleOptions {
  readonly clock: Clock;
  readonly startedAtMs: number;
  readonly isReady: () => boolean;
  readonly list: () => readonly RuntimeModule[];
  readonly metrics: () => readonly RuntimeModuleMetrics[];
  readonly ipc: () => IpcMetrics;
}

/** Answers how the core's modules are, and what they and its process did. */
export function createRuntimeModule({
  clock,
  startedAtMs,
  isReady,
  list,
  metrics,
  ipc,
}: RuntimeModuleOptions): ServiceModuleFor<Commands> {
  let delay: IntervalHistogram | null = null;
  const startedMs = clock.monotonicMs();
  const handlers: Pick<CommandHandlers, Commands> = {
    "runtime/list": () => ({ ready: isReady(), modules: [...list()] }),
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
        eventLoopDelayP50Ms: toDelayMs(delay?.percentile(50)),
        eventLoopDelayP99Ms: toDelayMs(delay?.percentile(99)),
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
    start: () => {
      delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
      delay.enable();
      return Promise.resolve();
    },
    stop: () => {
      delay?.disable();
      return Promise.resolve();
    },
  };
}

/** What is beyond the timer's own second. */
function toDelayMs(nanoseconds = 0): number {
  return Math.max(0, nanoseconds / NS_PER_MS - DELAY_RESOLUTION_MS);
}
