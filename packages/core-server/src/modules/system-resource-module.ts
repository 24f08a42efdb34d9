import type { Clock } from "@continuum/broker-core";
import type { DockerTierReading } from "@continuum/pool-docker";
import type { SystemResources } from "@continuum/wire-types";
import { uptime } from "node:os";
import { toErrorText } from "../error-text.js";
import { invalidParam } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { type ModuleContext, QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import { CpuSampler } from "../system/cpu-sampler.js";
import { readKernelUnits } from "../system/kernel-units.js";
import { readMemoryUsage } from "../system/memory-usage.js";
import { ProcessSampler } from "../system/process-sampler.js";
import { readProcessTable } from "../system/process-table.js";
import { RecentValue } from "../system/recent-value.js";

type Commands = "system/docker-tier-stats" | "system/docker-tier-probe" | "system/resources";

/** From one sample to the next while somebody asks for processes, and while nobody does: each wakes the core. */
const SAMPLE_INTERVAL_MS = 2_000;
const IDLE_INTERVAL_MS = 10_000;

/** Who asks again within so many ms gets the same reading: it is how clients that poll in a row are answered. */
const MAX_AGE_MS = 50;

const DEFAULT_TOP_N = 10;
const MAX_TOP_N = 100;

/** What the module measures with. */
export interface SystemResourceModuleOptions {
  /** Reads Docker's disk, within a deadline of its own. */
  readonly tier: () => Promise<DockerTierReading>;
  readonly clock: Clock;
  /** As `process.platform`. */
  readonly platform?: NodeJS.Platform;
}

/** Answers what the host's Docker disk, processors and memory are like; usage is that of the last seconds. */
export function createSystemResourceModule({
  tier,
  clock,
  platform = process.platform,
}: SystemResourceModuleOptions): ServiceModuleFor<Commands> {
  const cpu = new CpuSampler(() => clock.monotonicMs());
  const units = readKernelUnits();
  const processes = new ProcessSampler({
    readTable: async () => readProcessTable(await units),
    uptimeSeconds: uptime,
    monotonicMs: () => clock.monotonicMs(),
  });
  const recentTier = new RecentValue({ read: async () => frozen(await tier()), clock, maxAgeMs: MAX_AGE_MS });
  const recentMemory = new RecentValue({ read: () => readMemoryUsage(), clock, maxAgeMs: MAX_AGE_MS });
  let context: ModuleContext | null = null;

  const topProcesses = async (topN: number): Promise<SystemResources["processes"]> => {
    if (platform !== "linux") return null;
    try {
      return await processes.top(topN);
    } catch (error) {
      context?.log.debug({ err: error }, `processes can't be read: ${toErrorText(error)}`);
      return null;
    }
  };

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/docker-tier-stats": () => pick(recentTier.get(), "stats"),
    "system/docker-tier-probe": () => pick(recentTier.get(), "probe"),
    "system/resources": async ({ includeProcesses = false, topN = DEFAULT_TOP_N }) => {
      if (!Number.isSafeInteger(topN) || topN < 1 || topN > MAX_TOP_N) {
        throw invalidParam("system/resources", "topN", `a whole number from 1 to ${MAX_TOP_N}`, topN);
      }
      return {
        cpu: cpu.usage(),
        memory: await recentMemory.get(),
        processes: includeProcesses ? await topProcesses(topN) : null,
        timestampMs: clock.nowMs(),
        uptimeSeconds: uptime(),
      };
    },
  };

  return {
    ...QUIET_MODULE,
    name: "system-resource",
    essential: false,
    priority: 30,
    commandPrefixes: ["system/docker-tier-", "system/resources"],
    tickIntervalMs: () => (processes.isWatched ? SAMPLE_INTERVAL_MS : IDLE_INTERVAL_MS),
    handlers,
    start: (started: ModuleContext) => {
      context = started;
      return Promise.resolve();
    },
    tick: async () => {
      cpu.sample();
      if (platform === "linux") await processes.tick();
    },
  };
}

/** One part of a reading, at once if the reading is there. */
function pick<K extends "stats" | "probe">(
  reading: DockerTierReading | Promise<DockerTierReading>,
  part: K,
): DockerTierReading[K] | Promise<DockerTierReading[K]> {
  return reading instanceof Promise ? reading.then((tier) => tier[part]) : reading[part];
}

/** A reading that is given as it is until the next: its text is kept. */
function frozen({ stats, probe, atMs }: DockerTierReading): DockerTierReading {
  return { stats: Object.freeze(stats), probe: Object.freeze(probe), atMs };
}
