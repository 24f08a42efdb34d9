import type { BrokerSnapshot, DockerTierStats, PoolView } from "@continuum/wire-types";
import type { PayloadName } from "./bench-subject.js";

/** The pools of the large reply. */
export const POOL_COUNT = 8;

const GIB = 1024 ** 3;

/** The figures of pool `i`; the name is text beyond ASCII, as a peer may well choose it. */
export function poolFigures(i: number): { name: string; usedBytes: number; capacityBytes: number } {
  return { name: `größe-${i}`, usedBytes: (i + 1) * GIB, capacityBytes: 16 * GIB };
}

/** The result of each request, the same for every subject. */
export const RESULTS: { readonly stats: DockerTierStats; readonly state: BrokerSnapshot } = {
  stats: { capacityBytes: 950_239_232, usedBytes: 535_299_072, pressure: 0.563_331_263, detected: true },
  state: snapshot(),
};

/** The command that asks for it. */
export const COMMAND_NAMES = {
  stats: "system/docker-tier-stats",
  state: "system/pressure-broker-state",
} as const satisfies Record<PayloadName, string>;

function snapshot(): BrokerSnapshot {
  const pools = Array.from({ length: POOL_COUNT }, (_, i): PoolView => {
    const { name, usedBytes, capacityBytes } = poolFigures(POOL_COUNT - 1 - i);
    const pressure = usedBytes / capacityBytes;
    const stats = {
      name,
      entryCount: 0,
      pinnedCount: 0,
      totalBytes: usedBytes,
      maxBytes: capacityBytes,
      pressure,
      hitCount: 0,
      missCount: 0,
      evictionCount: 0,
      inflightCount: 0,
    };
    return { name, pressure, tier: "normal", stats };
  });
  return { globalPressure: 0.5, globalTier: "normal", pools, evictionsFired: 0, bytesFreedTotal: 0 };
}
