import { type PeerRequest, ScriptedPeer } from "@continuum/ipc-client/testing";

/** What a scripted core says; a command that isn't there is unknown to it. */
export type CoreScript = Readonly<Record<string, unknown>>;

const pool = {
  entryCount: 0,
  pinnedCount: 0,
  totalBytes: 3_000_000_000,
  maxBytes: 24_000_000_000,
  pressure: 0.125,
  hitCount: 0,
  missCount: 0,
  evictionCount: 0,
  inflightCount: 0,
};

/** A core with a Docker disk at 97 % and a model cache. */
export const FULL_CORE: CoreScript = {
  "system/docker-tier-stats": {
    capacityBytes: 1_000_000_000,
    usedBytes: 970_000_000,
    pressure: 0.97,
    detected: true,
  },
  "system/docker-tier-probe": {
    kind: "detected",
    allocatedBytes: 1_000_000_000,
    usedBytes: 970_000_000,
    path: "/var/lib/docker",
  },
  "system/pressure-broker-state": {
    globalPressure: 0.96,
    globalTier: "critical",
    pools: [
      { name: "docker", pressure: 0.96, tier: "critical", stats: { ...pool, name: "docker" } },
      { name: "vram", pressure: 0.125, tier: "normal", stats: { ...pool, name: "vram" } },
    ],
    evictionsFired: 3,
    bytesFreedTotal: 8_200_000_000,
  },
  "system/pressure-trends": {
    atMs: 1,
    trends: [{ name: "docker", windowMs: 60_000, fromPressure: 0.9, toPressure: 0.97, bytesPerSecond: 1 }],
  },
  "health-check": {
    healthy: true,
    version: "1",
    pid: 1,
    startedAtMs: 1,
    endpoint: "unix:///x",
    evict: "off",
  },
};

/** Starts a core that answers what the script says. */
export function startCore(script: CoreScript): Promise<ScriptedPeer> {
  return ScriptedPeer.start((request: PeerRequest) => {
    const { command } = request;
    if (Object.hasOwn(script, command)) request.reply(script[command]);
    else {
      const errorDetail = { kind: "unknownCommand", command, commands: Object.keys(script), nearest: null };
      request.fail(`unknown command ${command}`, errorDetail);
    }
  });
}
