import { type DockerInventory, planEviction } from "@continuum/pool-docker";
import { formatBytes } from "@continuum/wire-types";
import { formatTable } from "../contract/format-tables.js";
import { otherPolicies, plannerPolicy } from "./traces/cache-policies.js";
import { makeTraces } from "./traces/make-traces.js";
import { bytesOfTrace, type CachePolicy, type HostCost, simulateHost } from "./traces/simulate-host.js";

/** Not those that the value of an image was tuned with (1 to 5). */
const SEEDS = [101, 102, 103, 104, 105, 106, 107, 108];
/** The disk holds this much of all that is ever asked for. */
const SHARES = [0.25, 0.4];
/** Fetched once under every policy: what the rest is to be seen against. */
const FIRST = "fetched once anyway";

/** Bytes that had to be fetched again on the same disk, by what was deleted; and what planning costs. */
export function benchPlan(seeds: readonly number[] = SEEDS): string {
  const names = ["planner", ...otherPolicies().map(({ name }) => name)];
  const sums = new Map<string, Map<string, number>>();
  for (const seed of seeds) {
    for (const trace of makeTraces(seed)) {
      for (const share of SHARES) {
        const capacityBytes = share * bytesOfTrace(trace);
        const policies: readonly CachePolicy[] = [plannerPolicy(), ...otherPolicies()];
        const costs: readonly HostCost[] = policies.map((policy) =>
          simulateHost(trace, policy, capacityBytes),
        );
        const row = sums.get(trace.name) ?? new Map<string, number>();
        sums.set(trace.name, row);
        row.set(FIRST, (row.get(FIRST) ?? 0) + (costs[0]?.firstBytes ?? 0));
        policies.forEach(({ name }, i) =>
          row.set(name, (row.get(name) ?? 0) + (costs[i]?.refetchedBytes ?? 0)),
        );
      }
    }
  }
  const total = new Map(
    [...names, FIRST].map((name) => [
      name,
      [...sums.values()].reduce((sum, row) => sum + (row.get(name) ?? 0), 0),
    ]),
  );
  const toRow = (title: string, row: ReadonlyMap<string, number>): string[] => {
    const own = row.get("planner") ?? 0;
    return [
      title,
      formatBytes(row.get(FIRST) ?? 0),
      ...names.map((name) => {
        const bytes = row.get(name) ?? 0;
        return name === "planner"
          ? formatBytes(bytes)
          : `${formatBytes(bytes)} (${(bytes / own).toFixed(2)} x)`;
      }),
    ];
  };
  const rows = [
    ["fetched again", FIRST, ...names],
    ...[...sums].map(([title, row]) => toRow(title, row)),
    toRow("all", total),
  ];
  return [
    `Seeds ${seeds.join(", ")}; a disk for ${SHARES.map((share) => `${share * 100} %`).join(" and ")} of all that is asked for in 8 weeks; from 80 % down to 60 %`,
    formatTable(rows),
    "",
    planTimes(),
  ].join("\n");
}

function planTimes(): string {
  const rows = [["images", "one plan"]];
  for (const count of [100, 1_000, 10_000]) {
    const inventory = inventoryOf(count);
    const times = Array.from({ length: 7 }, () => {
      const startedMs = performance.now();
      planOf(inventory);
      return performance.now() - startedMs;
    }).sort((a, b) => a - b);
    rows.push([`${count}`, `${(times[3] ?? 0).toFixed(1)} ms`]);
  }
  return `Medians of 7\n${formatTable(rows)}`;
}

function planOf(inventory: DockerInventory): void {
  const bytes = inventory.images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  planEviction(
    inventory,
    new Map(),
    {
      name: "standard",
      keepLabel: { key: "keep", value: null },
      keepReferences: [],
      keepNewestPerRepository: 0,
      minAgeMs: { image: 0, container: 0, buildCache: 0 },
      minIdleMs: 0,
    },
    { wantBytes: Math.round(bytes / 10), nowMs: 2_000_000_000_000 },
  );
}

function inventoryOf(count: number): DockerInventory {
  const images = Array.from({ length: count }, (_, i) => {
    const layerBytes = [100_000_000 + (i % 50), 50_000_000 + (i % 500), 10_000_000 + i];
    return {
      id: `sha256:${i}`,
      parentId: "",
      layers: [`base ${i % 50}`, `runtime ${i % 500}`, `own ${i}`],
      layerBytes,
      tags: [`app-${i % 200}:${i}`],
      digests: [],
      labels: {},
      sizeBytes: layerBytes.reduce((sum, bytes) => sum + bytes, 0),
      createdAtMs: 1_900_000_000_000 + i,
      taggedAtMs: null,
      arrivedAtMs: 1_900_000_000_000 + i,
    };
  });
  return { images, containers: [], buildCache: [], digestsAreFromRegistries: true };
}
