import type { EvictedItem } from "@continuum/broker-core";
import {
  type AlertMessage,
  type BrokerSnapshot,
  formatBytes,
  formatPercent,
  formatPressureAlert,
  type PoolView,
  type PressureAlert,
} from "@continuum/wire-types";
import type { CoreConfig } from "../config/core-config.js";
import { formatDuration } from "../config/duration.js";
import { CACHE_POOL_PREFIX } from "../cache-pools.js";
import { CACHE_SWITCH_ON_HINT, SWITCH_ON_HINT } from "./banner.js";
import { LineAllowance } from "./line-allowance.js";

/** What an eviction came to, as far as a line tells it. */
export interface ReliefReport {
  readonly alert: PressureAlert;
  /** What would have been deleted if eviction were on. */
  readonly wouldDelete: readonly EvictedItem[];
  /** Why less than wanted was freed; null when nothing is missing. */
  readonly shortfall: string | null;
  /** What failed; null when nothing did. */
  readonly error: Error | null;
}

/** Which pool's eviction the core's own settings switch. */
const DOCKER_POOL = "docker";

/**
 * Turns what happens into lines for people: one when a tier comes, goes or changes its severity, one for each relief
 * that freed something, one, not one a round, for a tier that stays hot and stuck, and the messages of its episode
 * beyond the first. A tier that flaps has a few of each, then one an hour.
 */
export class ChangeLines {
  /** The severity that was told last, by tier. */
  readonly #severity = new Map<string, string>();
  readonly #stuck = new Map<string, string>();
  /** Tiers whose relief was told since they were calm. */
  readonly #told = new Set<string>();
  readonly #changes: LineAllowance;
  readonly #reliefs: LineAllowance;

  /** What a person must know to read the lines: whether anything may be deleted, and how old it must be. */
  constructor(
    private readonly config: Pick<CoreConfig, "evict" | "minAgeMs" | "cacheEvict" | "cacheMinAgeMs">,
    monotonicMs: () => number,
  ) {
    this.#changes = new LineAllowance(monotonicMs);
    this.#reliefs = new LineAllowance(monotonicMs);
  }

  /** The lines for a new state; the first one brings none: the core's first lines told it. */
  onState({ pools }: BrokerSnapshot): string[] {
    const lines: string[] = [];
    const names = new Set(pools.map(({ name }) => name));
    for (const name of this.#severity.keys()) if (!names.has(name)) this.#forget(name);
    for (const pool of pools) {
      const now = severityOf(pool);
      const before = this.#severity.get(pool.name);
      if (before === undefined) this.#severity.set(pool.name, now);
      if (before === undefined || before === now) continue;
      // Calm again: what is stuck next time is news.
      if (now === "normal" || now === "warning") this.#stuck.delete(pool.name);
      // What finds no room is told once there is some, if it is still so.
      if (!this.#changes.take(pool.name)) continue;
      this.#severity.set(pool.name, now);
      lines.push(changeLine(pool, before, now));
    }
    return lines;
  }

  /** The line for a message; none for the first of an episode whose relief was told already. */
  onMessage({ kind, alert, text }: AlertMessage): string[] {
    if (kind === "resolved") this.#told.delete(alert.tierName);
    return kind === "fired" && this.#told.has(alert.tierName) ? [] : [text];
  }

  /** The lines for a relief; none for one that is as stuck as the last. */
  onRelief({ alert, wouldDelete, shortfall, error }: ReliefReport): string[] {
    const { tierName, tier, bytesFreed, actionTaken } = alert;
    if (bytesFreed > 0) {
      this.#stuck.delete(tierName);
      if (!this.#take(tierName)) return [];
      const rest = shortfall === null ? [] : [`${tierName}: less was freed than wanted: ${shortfall}`];
      return [formatPressureAlert(alert), ...rest];
    }
    // The pressure moves a little all the time: only what a person would call a change counts.
    const key = `${tier} ${actionTaken} ${wouldDelete.length > 0} ${error !== null}`;
    if (this.#stuck.get(tierName) === key || !this.#take(tierName)) return [];
    this.#stuck.set(tierName, key);
    if (!actionTaken) return [formatPressureAlert(alert)];
    const isCache = tierName.startsWith(CACHE_POOL_PREFIX);
    // The pool of another process has no mode of the core's: it is asked.
    const mode = isCache ? this.config.cacheEvict : tierName === DOCKER_POOL ? this.config.evict : "on";
    const isObserving = mode === "off" && error === null;
    const why = isObserving ? this.#observed(wouldDelete, isCache) : (shortfall ?? "nothing was freed");
    const hint = isObserving ? [isCache ? CACHE_SWITCH_ON_HINT : SWITCH_ON_HINT] : [];
    return [formatPressureAlert(alert), `hot and stuck: ${tierName}: ${why}`, ...hint];
  }

  #forget(tierName: string): void {
    this.#severity.delete(tierName);
    this.#stuck.delete(tierName);
    this.#told.delete(tierName);
  }

  #take(tierName: string): boolean {
    const isAllowed = this.#reliefs.take(tierName);
    if (isAllowed) this.#told.add(tierName);
    return isAllowed;
  }

  /** What eviction would have done if it were on. */
  #observed(wouldDelete: readonly EvictedItem[], isCache: boolean): string {
    if (wouldDelete.length === 0) {
      const minAgeMs = isCache ? this.config.cacheMinAgeMs : this.config.minAgeMs.image;
      const flag = isCache ? "--cache-min-age" : "--min-age";
      const age = minAgeMs > 0 ? ` older than ${formatDuration(minAgeMs)} (${flag})` : "";
      return `eviction is off; it would find nothing unused${age} to delete`;
    }
    const known = wouldDelete.flatMap(({ expectedBytes }) => (expectedBytes === null ? [] : [expectedBytes]));
    const bytes = formatBytes(known.reduce((sum, each) => sum + each, 0));
    const about = known.length === wouldDelete.length ? bytes : `at least ${bytes}`;
    return `eviction is off; it would delete ${countKinds(wouldDelete)} (${about})`;
  }
}

function severityOf({ tier, stats }: PoolView): string {
  return stats.maxBytes > 0 ? tier : "not detected";
}

function changeLine({ name, pressure, stats }: PoolView, before: string, now: string): string {
  if (now === "not detected") return `tier ${name}: not detected any more`;
  const use = `${formatBytes(stats.totalBytes)} of ${formatBytes(stats.maxBytes)} used`;
  // A view's pressure is the one that decides: above that of its bytes it is another one's.
  const inodes = pressure > stats.pressure ? `${formatPercent(stats.pressure)}, inodes ` : "";
  return `tier ${name}: ${before} -> ${now}: ${use} (${inodes}${formatPercent(pressure)})`;
}

/** "3 images, 1 build cache entry" in the order of first appearance. */
function countKinds(items: readonly EvictedItem[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of items) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} x ${kind}`).join(", ");
}
