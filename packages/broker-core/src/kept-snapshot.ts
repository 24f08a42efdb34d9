import type { BrokerSnapshot } from "@continuum/wire-types";
import type { PoolSlot } from "./pool-slot.js";
import { type BrokerCounters, toSnapshot } from "./to-snapshot.js";

/** The part of a PoolSlot that a snapshot is made of. */
export type SnapshotSlot = Pick<PoolSlot, "pool" | "reading" | "revision">;

/** A snapshot and what it was made of: clients that poll between two readings get one and the same. */
export class KeptSnapshot {
  /** Frozen: whoever encodes it may keep the text. */
  readonly snapshot: BrokerSnapshot;
  readonly #slots: readonly SnapshotSlot[];
  readonly #revisions: readonly number[];

  constructor(
    slots: Iterable<SnapshotSlot>,
    private readonly counters: BrokerCounters,
  ) {
    this.#slots = [...slots];
    this.#revisions = this.#slots.map(({ revision }) => revision);
    const pools = this.#slots.map(({ pool: { name }, reading }) => ({ name, reading }));
    this.snapshot = Object.freeze(toSnapshot(pools, counters));
  }

  /** Whether a new one would say the same. */
  isOf(slots: Iterable<SnapshotSlot>, counters: BrokerCounters): boolean {
    if (counters !== this.counters) return false;
    let index = 0;
    for (const slot of slots) {
      if (slot !== this.#slots[index] || slot.revision !== this.#revisions[index]) return false;
      index += 1;
    }
    return index === this.#slots.length;
  }
}
