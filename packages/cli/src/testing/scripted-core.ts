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

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

const calm = {
  state: "idle",
  roundsInRelief: 0,
  freedBytesInRelief: 0,
  ineffectiveRounds: 0,
  notBeforeMs: null,
  lastDecision: null,
};

const snapshot = {
  globalPressure: 0.96,
  globalTier: "critical",
  pools: [
    {
      name: "docker",
      pressure: 0.96,
      tier: "critical",
      stats: { ...pool, name: "docker", pressure: 0.96 },
    },
    { name: "vram", pressure: 0.125, tier: "normal", stats: { ...pool, name: "vram" } },
  ],
  evictionsFired: 3,
  bytesFreedTotal: 8_200_000_000,
};

/** What a core knows beyond the snapshot: the disk is full in 12 minutes, and all is calm. */
export const CALM_EXTENSION = {
  atMs: AT_MS,
  snapshot,
  forecasts: [
    {
      name: "docker",
      atMs: AT_MS - 4_000,
      bytesPerSecond: 40_000,
      timeToFullMs: 750_000,
      fullAtMs: AT_MS + 746_000,
      basis: "steady",
    },
    { name: "vram", atMs: AT_MS, bytesPerSecond: null, timeToFullMs: null, fullAtMs: null, basis: "flat" },
  ],
  relief: [
    { ...calm, name: "docker" },
    { ...calm, name: "vram" },
  ],
  episodes: [],
};

/** Two hours of a disk that stood still, was relieved, and filled again; a point a minute. */
export const FILLING_HISTORY = {
  pool: "docker",
  resolution: "minute",
  fromMs: AT_MS - 7_200_000,
  toMs: AT_MS,
  truncated: false,
  points: Array.from({ length: 120 }, (_, i) => {
    const level = i < 30 ? 0.8 : i < 40 ? 0.6 : 0.6 + (i - 40) * 0.00468;
    const pressure = Math.round(level * 1e4) / 1e4;
    return {
      atMs: AT_MS - 5_000 - (120 - i) * 60_000,
      usedBytes: Math.round(pressure * 1e9),
      capacityBytes: 1e9,
      pressure,
      minPressure: pressure,
      maxPressure: pressure,
      samples: 12,
    };
  }),
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
  "system/pressure-broker-state": snapshot,
  "system/pressure-broker-extension": CALM_EXTENSION,
  "system/pressure-history": FILLING_HISTORY,
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

const journal = {
  watching: true,
  durable: false,
  watchedSinceMs: AT_MS,
  gapCount: 0,
  lastGapUntilMs: null,
  imageCount: 3,
  problem: null,
};

const entry = {
  kind: "image",
  id: "sha256:1",
  name: "app:1",
  reason: "nobody uses it",
  rule: "unusedImage",
};

/** A core that answers everything about Docker's disk. */
export const DOCKER_CORE: CoreScript = {
  "system/docker-tier-usage": {
    atMs: AT_MS,
    ageMs: 4_000,
    isRefreshing: false,
    error: null,
    reading: {
      atMs: AT_MS,
      path: "/var/lib/docker",
      source: "engineRoot",
      stale: false,
      usedBytes: 970_000_000,
      capacityBytes: 1_000_000_000,
      pressure: 0.97,
      usedInodes: 12,
      capacityInodes: 100,
      inodePressure: 0.12,
      binds: "bytes",
    },
    categories: [
      { kind: "image", count: 3, bytes: 700_000_000, unknownCount: 0 },
      { kind: "volume", count: 1, bytes: null, unknownCount: 1 },
    ],
    accountedBytes: 950_000_000,
    unexplainedBytes: 20_000_000,
    entries: [
      {
        kind: "image",
        id: "sha256:1",
        name: "app:1",
        sizeBytes: 500_000_000,
        uniqueBytes: 400_000_000,
        sharedBytes: 100_000_000,
        inUse: false,
        createdAtMs: AT_MS,
        lastUsedAtMs: AT_MS,
        useCount: 3,
      },
    ],
    omittedCount: 7,
    journal,
  },
  "system/docker-evict-plan": {
    planId: "p1",
    createdAtMs: AT_MS,
    expiresAtMs: AT_MS + 900_000,
    policy: "standard",
    wantBytes: 370_000_000,
    usedBytes: 970_000_000,
    capacityBytes: 1_000_000_000,
    pressure: 0.97,
    expectedBytes: 400_000_000,
    expectedUsedBytes: 570_000_000,
    expectedPressure: 0.57,
    shortfallBytes: 0,
    spareBytes: 0,
    entries: [
      {
        ...entry,
        position: 0,
        references: ["app:1"],
        expectedBytes: 400_000_000,
        lastUsedAtMs: null,
        restoreReference: "r/app@sha256:1",
      },
    ],
    protectedEntries: [
      {
        kind: "image",
        id: "sha256:2",
        name: "db:1",
        sizeBytes: null,
        rule: "inUse",
        reason: "a container uses it",
      },
    ],
    protectedCount: 1,
  },
  "system/docker-evict-apply": {
    evictionId: "e1",
    planId: "p1",
    policy: "standard",
    state: "finished",
    startedAtMs: AT_MS,
    endedAtMs: AT_MS + 1_000,
    claimedBytes: 400_000_000,
    measuredBytes: 398_000_000,
    outcomes: [
      {
        kind: "image",
        id: "sha256:1",
        name: "app:1",
        outcome: "deleted",
        detail: null,
        claimedBytes: 400_000_000,
        measuredBytes: 398_000_000,
      },
    ],
    note: null,
  },
  "system/docker-evict-history": {
    records: [
      {
        ...entry,
        sequence: 2,
        atMs: AT_MS,
        evictionId: "e1",
        planId: "p1",
        cause: "plan",
        policy: "standard",
        references: ["app:1"],
        digests: ["r/app@sha256:1"],
        outcome: "deleted",
        detail: null,
        claimedBytes: 400_000_000,
        measuredBytes: 398_000_000,
        restoreReference: "r/app@sha256:1",
      },
    ],
    nextBeforeSequence: null,
    durable: true,
  },
  "system/docker-evict-undo": {
    undoId: "u1",
    state: "finished",
    startedAtMs: AT_MS,
    endedAtMs: AT_MS + 1_000,
    restoredCount: 1,
    outcomes: [
      {
        kind: "image",
        id: "sha256:1",
        name: "app:1",
        outcome: "restored",
        reference: "r/app@sha256:1",
        references: ["app:1"],
        detail: null,
      },
      {
        kind: "container",
        id: "c1",
        name: "old",
        outcome: "impossible",
        reference: null,
        references: [],
        detail: "its writable layer is gone",
      },
    ],
    note: null,
  },
};
