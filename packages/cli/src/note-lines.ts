import {
  type AlertMessage,
  formatBytes,
  formatTimeSpan,
  type PoolRelief,
  toPrintable,
} from "@continuum/wire-types";
import type { StatusExtension } from "./status-report.js";
import type { EvictMode } from "./status-warnings.js";

const DOCKER = "docker";

/** What relief does where it does something, and the episodes that last: a line each, none when all is well. */
export function noteLines({ atMs, relief, episodes }: StatusExtension, evict: EvictMode): string[] {
  return [
    ...relief.flatMap((each) => {
      // A core that only observes frees nothing because it isn't let: a warning says so.
      if (each.name === DOCKER && evict === "off" && each.state === "ineffective") return [];
      const text = reliefText(each, atMs);
      return text === null ? [] : [`${toPrintable(each.name)}: ${text}`];
    }),
    ...episodes.map((episode) => episodeLine(episode, atMs)),
  ];
}

function reliefText(relief: PoolRelief, atMs: number): string | null {
  const { state, roundsInRelief, freedBytesInRelief, ineffectiveRounds } = relief;
  const next = relief.notBeforeMs === null || relief.notBeforeMs <= atMs ? null : relief.notBeforeMs - atMs;
  const again = next === null ? "" : `; the next try in ${formatTimeSpan(next)}`;
  switch (state) {
    case "evicting":
    case "relieving":
      return `relief under way: round ${Math.max(1, roundsInRelief)}, ${formatBytes(freedBytesInRelief)} freed so far`;
    case "ineffective":
      return `relief is ineffective: ${toRounds(ineffectiveRounds)} freed next to nothing${again}`;
    case "backingOff":
      return `relief failed${again}`;
    case "stale":
      return "the figures are old: it couldn't be read lately";
    case "idle":
    case "coolingDown":
    case "undetected":
      return null;
  }
}

function toRounds(count: number): string {
  return count === 1 ? "one round" : `${count} rounds in a row`;
}

/** What was told of an episode, as it was told: the core gives no newer figures of it. */
function episodeLine(
  { alert, startedAtMs, highestTier, biggestConsumer, nextCommand }: AlertMessage,
  atMs: number,
): string {
  const facts = [`at worst ${highestTier}`, `${formatBytes(alert.bytesFreed)} freed`];
  if (biggestConsumer !== null) {
    const { kind, name, sizeBytes } = biggestConsumer;
    facts.push(`the biggest is ${toPrintable(kind)} ${toPrintable(name)} (${formatBytes(sizeBytes)})`);
  }
  const openFor = formatTimeSpan(atMs - startedAtMs);
  const toldAgo = formatTimeSpan(atMs - alert.atMs);
  const name = toPrintable(alert.tierName);
  return `${name}: alert open for ${openFor}; told ${toldAgo} ago: ${facts.join(", ")}; next: ${toPrintable(nextCommand)}`;
}
