import { type CommandResult, type DockerTierStats, formatBytes, formatPercent } from "@continuum/wire-types";

/** What the core may delete; null when it doesn't say. */
export type EvictMode = NonNullable<CommandResult<"health-check">["evict"]> | null;

/** A disk tier above this pressure is warned of. */
const WARN_ABOVE = 0.9;

/** What a person should do something about: a disk tier over 90 %, and what to do. */
export function statusWarnings(
  docker: DockerTierStats,
  evict: EvictMode,
  inodePressure: number | null = null,
): string[] {
  if (!docker.detected) return [];
  const { pressure, usedBytes, capacityBytes } = docker;
  const facts: string[] = [];
  if (pressure > WARN_ABOVE) {
    facts.push(
      `the Docker disk is ${formatPercent(pressure)} full (${formatBytes(usedBytes)} of ${formatBytes(capacityBytes)})`,
    );
  }
  if (inodePressure !== null && inodePressure > WARN_ABOVE) {
    facts.push(`the Docker disk runs out of inodes (${formatPercent(inodePressure)} are used)`);
  }
  return facts.map((fact) => `${fact}; ${advice(evict)}`);
}

function advice(evict: EvictMode): string {
  const byHand = "remove by hand what nobody needs (docker image ls, docker image rm)";
  switch (evict) {
    case "off":
      return `the core only observes: restart it with --evict conservative, or ${byHand}`;
    case "conservative":
      return `the core deletes only what can be had again: --evict standard may free more, or ${byHand}`;
    case "standard":
      return `the core frees every image that nobody uses: --evict aggressive may free stopped containers too, or ${byHand}`;
    case "aggressive":
      return `the core frees what it may: if this stays, what is left is in use, kept by a label, or not Docker's`;
    case null:
      return byHand;
  }
}
