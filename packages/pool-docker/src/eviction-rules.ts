import { parseKeepLabel } from "./evict/keep-label.js";
import type { EvictionPolicy, EvictionPolicyName } from "./plan/eviction-policy.js";

/** What is kept under every policy, as a person sets it. */
export interface EvictionRules {
  /** Nothing younger is deleted: one age for all, or one for each kind. */
  readonly minAgeMs: number | EvictionPolicy["minAgeMs"];
  /** Images used less than this ago stay; 0 when left out. */
  readonly minIdleMs?: number;
  /** `key=value` or `key`: images and containers with this label stay; `continuum.keep=true` when left out. */
  readonly keepLabel?: string;
  /** Images whose references match one of these patterns stay. */
  readonly keepReferences?: readonly string[];
  /** So many of the newest images of each repository stay. */
  readonly keepNewestPerRepository?: number;
}

/** A policy with the rules that hold under each. */
export function toEvictionPolicy(name: EvictionPolicyName, rules: EvictionRules): EvictionPolicy {
  const { minAgeMs, minIdleMs = 0, keepLabel = "continuum.keep=true" } = rules;
  const { keepReferences = [], keepNewestPerRepository = 0 } = rules;
  return {
    name,
    keepLabel: parseKeepLabel(keepLabel),
    keepReferences,
    keepNewestPerRepository,
    minAgeMs:
      typeof minAgeMs === "number"
        ? { image: minAgeMs, container: minAgeMs, buildCache: minAgeMs }
        : minAgeMs,
    minIdleMs,
  };
}
