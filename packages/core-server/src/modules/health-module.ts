import type { EvictMode } from "@continuum/pool-docker";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "health-check";

/** What the core says of itself. */
export interface CoreIdentity {
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly evict: EvictMode;
  /** Asked for each time: the port of a TCP endpoint is known only once it listens. */
  readonly endpoint: () => string;
  /** Whether the core can do its work: alive it is, or nobody would answer. */
  readonly isReady: () => boolean;
}

/** Answers `health-check`: that the core is alive, and which one it is. */
export function createHealthModule({
  endpoint,
  isReady,
  ...identity
}: CoreIdentity): ServiceModuleFor<Commands> {
  const handlers: Pick<CommandHandlers, Commands> = {
    "health-check": () => ({ healthy: true, ...identity, endpoint: endpoint(), ready: isReady() }),
  };
  return {
    ...QUIET_MODULE,
    name: "health",
    priority: 0,
    commandPrefixes: ["health-"],
    handlers,
  };
}
