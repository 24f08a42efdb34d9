import type { KeepLabel } from "../evict/keep-label.js";

/** All policies, from the most careful on. */
export const EVICTION_POLICY_NAMES = ["conservative", "standard", "aggressive"] as const;

/**
 * How much may be lost: `conservative` deletes only what can be had again (build cache, images of a registry),
 * `standard` every unused image, `aggressive` stopped containers too, with their writable layers.
 */
export type EvictionPolicyName = (typeof EVICTION_POLICY_NAMES)[number];

/** What may be deleted. The rules to keep hold under every policy. */
export interface EvictionPolicy {
  readonly name: EvictionPolicyName;
  /** Images and containers with this label stay. */
  readonly keepLabel: KeepLabel;
  /**
   * Images with a tag or digest reference that matches one stay: `*` any text, `?` one character, against the whole
   * reference as the engine writes it, or against the reference without tag and digest.
   */
  readonly keepReferences: readonly string[];
  /** So many of the newest images (by build time) of each repository stay; 0 for no such rule. */
  readonly keepNewestPerRepository: number;
  /** Nothing younger goes, by what the age of each kind is counted from; milliseconds. */
  readonly minAgeMs: {
    /** Built, tagged or arrived. */
    readonly image: number;
    /** Since a container ended, or since it was made if it never ran. */
    readonly container: number;
    /** Since the record was last used, or made. */
    readonly buildCache: number;
  };
  /** Images used less than this ago stay; a time that nobody watched counts as use; milliseconds. */
  readonly minIdleMs: number;
}
