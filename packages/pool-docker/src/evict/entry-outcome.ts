import type { PlanEntry } from "../plan/eviction-plan.js";

/** What became of one entry of a plan. */
export interface EntryOutcome {
  readonly entry: PlanEntry;
  /** `kept`: something spoke against it right before, or it was gone already. */
  readonly outcome: "deleted" | "kept" | "failed";
  /** Why it was kept or how it failed; null when it was deleted and nothing needs saying. */
  readonly detail: string | null;
  /** How much less the disk held afterwards; null when nothing was deleted, or it couldn't be measured. */
  readonly measuredBytes: number | null;
  /** Kept for no reason of its own: a later round may take it. */
  readonly isPostponed: boolean;
}
