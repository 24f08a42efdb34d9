import type { InventoryCacheRecord, InventoryContainer, InventoryImage } from "./docker-inventory.js";

/** The rule by which something may go. */
export type EvictionRule = "unusedBuildCache" | "stoppedContainer" | "danglingImage" | "unusedImage";

/** The rule by which something stays. */
export type KeepRule =
  | "inUse"
  | "keepLabel"
  | "keepReference"
  | "keepNewest"
  | "minAge"
  | "minIdle"
  | "irrecoverable"
  | "unknown"
  | "neededByKept"
  | "policy";

interface PlanEntryBase {
  /** Order of execution, from 0. */
  readonly position: number;
  /** Exact id: of the image, of the container, of the record. */
  readonly id: string;
  /** For people: tags, the container's name, what a record was made by. */
  readonly name: string;
  readonly rule: EvictionRule;
  /** One sentence for a person: why it may go, why now, and how it could be had again. */
  readonly reason: string;
  /** Bytes that go with it when all entries before it are gone. */
  readonly expectedBytes: number;
  /** The last known use; null when none is known. */
  readonly lastUsedAtMs: number | null;
  /** The reference that pulls it back; null when nothing does. */
  readonly restoreReference: string | null;
}

/** One thing to delete, with what it was like when the plan was made. */
export type PlanEntry =
  | (PlanEntryBase & { readonly kind: "buildCache"; readonly record: InventoryCacheRecord })
  | (PlanEntryBase & { readonly kind: "container"; readonly container: InventoryContainer })
  | (PlanEntryBase & { readonly kind: "image"; readonly image: InventoryImage });

/** One thing that stays, and why. */
export interface ProtectedEntry {
  readonly kind: "buildCache" | "container" | "image";
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number | null;
  readonly rule: KeepRule;
  readonly reason: string;
}

/** What an eviction would delete, first to last, and what it would leave. */
export interface EvictionPlan {
  readonly wantBytes: number;
  readonly entries: readonly PlanEntry[];
  /** Sum of the entries' bytes. */
  readonly expectedBytes: number;
  /** What could be deleted beside the entries, but isn't needed. */
  readonly spareBytes: number;
  readonly protectedEntries: readonly ProtectedEntry[];
}
