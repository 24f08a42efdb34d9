import { toPressureTier } from "@continuum/broker-core";
import {
  type DockerTierProbe,
  type DockerTierStats,
  formatBytes,
  formatPercent,
} from "@continuum/wire-types";
import { CACHE_POOL_PREFIX } from "../cache-pools.js";
import type { CoreConfig } from "../config/core-config.js";
import { formatDuration } from "../config/duration.js";
import { formatEndpoint, isLocal } from "../ipc/endpoint.js";
import type { TokenSource } from "../ipc/token-file.js";

/** What the first lines tell. */
export interface BannerFacts {
  readonly version: string;
  readonly pid: number;
  readonly endpoint: string;
  /** The file with the token that connections over TCP owe; null for none. */
  readonly tokenPath: string | null;
  readonly config: CoreConfig;
  /** The Docker tier's first reading. */
  readonly tier: { readonly stats: DockerTierStats; readonly probe: DockerTierProbe };
  /** The pressure that decides, of bytes or of inodes; null when there is none yet. */
  readonly pressure: number | null;
}

/** The first lines of a running core: where it listens, which tiers it found, and what it may delete. */
export function bannerLines(facts: BannerFacts): string[] {
  const { version, pid, endpoint, config, tier, pressure } = facts;
  return [
    `continuum-core ${version} (pid ${pid}) listening on ${endpoint}`,
    ...accessLines(facts),
    tierLine(tier.stats, tier.probe, pressure),
    evictionLine(config),
    ...(config.evict === "off" ? [SWITCH_ON_HINT] : []),
    ...cacheLines(config),
  ];
}

/** Who gets in, where it isn't the socket's owner alone. */
function accessLines({ config, tokenPath }: BannerFacts): string[] {
  const { endpoint, readEndpoint } = config;
  const lines: string[] = [];
  if (endpoint.kind === "tcp") {
    lines.push(`a token is owed: ${tokenPlace(config.token.kind, tokenPath)}`);
    if (!isLocal(endpoint)) lines.push(`warning: ${BEYOND_LOCAL_WARNING}`);
  }
  if (readEndpoint !== null) {
    lines.push(`read-only for whoever may open it: ${formatEndpoint(readEndpoint)}`);
  }
  return lines;
}

/** Where the token is, and what clients must be told that don't look there. */
function tokenPlace(kind: TokenSource["kind"], path: string | null): string {
  if (kind === "given" || path === null) {
    return "the one in CONTINUUM_TOKEN; clients need the same CONTINUUM_TOKEN, or CONTINUUM_TOKEN_FILE=PATH of a file with it";
  }
  if (kind === "own") return `in ${path}, where clients of this user find it`;
  return `in ${path}; clients need CONTINUUM_TOKEN_FILE=${path}`;
}

/** Said where other machines can reach the core. */
export const BEYOND_LOCAL_WARNING =
  "other machines can reach this core: whoever has the token may do everything, and nothing is encrypted on the way (ssh -L is)";

/** How to let the core delete. */
export const SWITCH_ON_HINT =
  "to switch eviction on: --evict conservative (only what can be had again) or --evict standard, or CONTINUUM_EVICT";

/** How to let the core delete from caches. */
export const CACHE_SWITCH_ON_HINT =
  "to let it delete from caches what was used least recently: --cache-evict on, or CONTINUUM_CACHE_EVICT";

/** One line for each cache: what is watched, and what may be deleted. */
function cacheLines({ caches, cacheEvict, cacheMinAgeMs }: CoreConfig): string[] {
  const mode =
    cacheEvict === "off"
      ? "eviction is off"
      : `eviction is on, nothing younger than ${formatDuration(cacheMinAgeMs)}`;
  return caches.map(({ name, path, maxBytes }) => {
    const budget = maxBytes === null ? "as much as its filesystem holds" : `up to ${formatBytes(maxBytes)}`;
    return `tier ${CACHE_POOL_PREFIX}${name}: ${path}, ${budget}; ${mode}`;
  });
}

/** One line for the Docker tier: where it is and how full, or what was tried. */
function tierLine(stats: DockerTierStats, probe: DockerTierProbe, deciding: number | null): string {
  switch (probe.kind) {
    case "detected": {
      const { usedBytes, capacityBytes, pressure } = stats;
      const highest = Math.max(pressure, deciding ?? 0);
      const inodes =
        formatPercent(highest) === formatPercent(pressure) ? "" : `, inodes ${formatPercent(highest)}`;
      const use = `${formatBytes(usedBytes)} of ${formatBytes(capacityBytes)} used (${formatPercent(pressure)}${inodes}, ${toPressureTier(highest)})`;
      return `tier docker: ${probe.path}: ${use}`;
    }
    case "notFound":
      return `tier docker: not detected: ${probe.path}: ${probe.reason}`;
    case "unsupported":
      return `tier docker: not supported on ${probe.os}: ${probe.reason}`;
  }
}

function evictionLine({ evict, actAbove, target, minAgeMs, keepLabel, ...rules }: CoreConfig): string {
  if (evict === "off") return "eviction is off: the core only observes, and says what it would delete";
  const from = formatPercent(actAbove);
  const to = formatPercent(target);
  const spared = [
    `nothing younger than ${formatDuration(minAgeMs.image)}`,
    `nothing labelled ${keepLabel}`,
    ...(rules.minIdleMs > 0 ? [`no image used in the last ${formatDuration(rules.minIdleMs)}`] : []),
    ...(rules.keepReferences.length > 0 ? [`no image like ${rules.keepReferences.join(", ")}`] : []),
    ...(rules.keepNewestPerRepository > 0
      ? [`not the newest ${rules.keepNewestPerRepository} of a repository`]
      : []),
  ].join(", ");
  return `eviction is on (${evict}): from ${from} down to ${to}; ${spared}`;
}
