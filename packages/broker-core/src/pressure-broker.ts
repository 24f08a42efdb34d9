import type { BrokerSnapshot, PressureTrends } from "@continuum/wire-types";
import { afterRound } from "./back-off.js";
import { type Clock, systemClock } from "./clock.js";
import { decideRelief, type ReliefDecision } from "./decide-relief.js";
import { PoolError } from "./pool-error.js";
import { type PoolPolicy, toPoolPolicy } from "./pool-policy.js";
import { PoolSlot } from "./pool-slot.js";
import type { AlertSink, ReliefOutcome, ReliefRound } from "./relief.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";
import { runEviction } from "./run-eviction.js";
import { type BrokerCounters, toSnapshot } from "./to-snapshot.js";

/** How long one reading may take. */
const DEFAULT_READ_DEADLINE_MS = 3_000;
/** How long one eviction may take before its signal aborts. */
const DEFAULT_EVICTION_DEADLINE_MS = 10 * 60_000;

/** How often a broker is ticked unless configured otherwise, in milliseconds. */
export const DEFAULT_TICK_MS = 5_000;

/** What a broker takes; all of it has a default. */
export interface PressureBrokerOptions {
  readonly clock?: Clock;
  /** For pools that are registered without one of their own. */
  readonly policy?: Partial<PoolPolicy>;
  /** Hears what failed where nobody else would: a pool's reading, an alert sink. Must not throw. */
  readonly onError?: (error: unknown, source: string) => void;
  readonly readDeadlineMs?: number;
  readonly evictionDeadlineMs?: number;
}

/**
 * Watches resource pools and relieves them. Each call of `relieve` is a round: read all, decide, start what is due.
 * Evictions run beside the rounds, one per pool at a time; whatever a pool or a sink does, the next round comes.
 */
export class PressureBroker {
  readonly #clock: Clock;
  readonly #policy: PoolPolicy;
  readonly #onError: (error: unknown, source: string) => void;
  readonly #readDeadlineMs: number;
  readonly #evictionDeadlineMs: number;
  readonly #slots = new Map<string, PoolSlot>();
  readonly #sinks = new Set<{ readonly sink: AlertSink }>();
  readonly #evictions = new Set<Promise<ReliefOutcome>>();
  /** By pool rather than by name: one that is registered again still is the one that evicts. */
  readonly #evicting = new Set<ResourcePool>();
  #counters: BrokerCounters = { evictionsFired: 0, bytesFreedTotal: 0 };
  #isClosed = false;

  constructor(options: PressureBrokerOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#policy = toPoolPolicy(options.policy);
    this.#onError = options.onError ?? (() => undefined);
    this.#readDeadlineMs = options.readDeadlineMs ?? DEFAULT_READ_DEADLINE_MS;
    this.#evictionDeadlineMs = options.evictionDeadlineMs ?? DEFAULT_EVICTION_DEADLINE_MS;
  }

  /** Puts a pool under the broker; one of the same name is replaced, and its eviction aborted. */
  register(pool: ResourcePool, policy: Partial<PoolPolicy> = {}): void {
    if (this.#isClosed) throw new Error("the broker is closed");
    const slot = new PoolSlot(
      pool,
      toPoolPolicy({ ...this.#policy, ...policy }),
      this.#clock,
      this.#readDeadlineMs,
    );
    this.#slots.get(pool.name)?.retire();
    this.#slots.set(pool.name, slot);
  }

  /** Forgets a pool and aborts its eviction; false when there is none of this name. */
  unregister(name: string): boolean {
    this.#slots.get(name)?.retire();
    return this.#slots.delete(name);
  }

  /** The pools under the broker, by name. */
  pools(): readonly ResourcePool[] {
    return [...this.#slots.values()].map(({ pool }) => pool).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The newest reading of a pool; null when there is none. */
  reading(name: string): PoolReading | null {
    return this.#slots.get(name)?.reading ?? null;
  }

  /** A fresh reading of a pool, with the deadline of a round's; null when there is no such pool. Rejects with its error. */
  async read(name: string, signal?: AbortSignal): Promise<PoolReading | null> {
    return (await this.#slots.get(name)?.read(signal)) ?? null;
  }

  /** Hears every round's alert from now on; gives the function that ends it. */
  addAlertSink(sink: AlertSink): () => void {
    const entry = { sink };
    this.#sinks.add(entry);
    return () => {
      this.#sinks.delete(entry);
    };
  }

  /**
   * One round: reads every pool at once, each with its deadline, decides, and starts the evictions that are due
   * without waiting for them. Never rejects.
   */
  async relieve(signal?: AbortSignal): Promise<ReliefRound> {
    const slots = [...this.#slots.values()];
    await Promise.all(slots.map((slot) => this.#refresh(slot, signal)));
    const current = slots.filter((slot) => this.#slots.get(slot.pool.name) === slot);
    if (this.#isClosed || signal?.aborted === true) return { decisions: [], done: Promise.resolve([]) };
    const candidates = current.map((slot) => ({
      name: slot.pool.name,
      reading: slot.reading,
      policy: slot.policy,
      backOff: slot.backOff,
      isEvicting: this.#evicting.has(slot.pool),
    }));
    const decisions = decideRelief(candidates, this.#clock.monotonicMs());
    const started = current.flatMap((slot, i) => {
      const decision = decisions[i];
      return decision?.action === "evict" ? [this.#start(slot, decision)] : [];
    });
    return { decisions, done: Promise.all(started) };
  }

  /** All pools and counters as of the newest readings. */
  snapshot(): BrokerSnapshot {
    const pools = [...this.#slots].map(([name, { reading }]) => ({ name, reading }));
    return toSnapshot(pools, this.#counters);
  }

  /** How each pool moved over the last `windowMs`; at most the last ten minutes are known. */
  trends(windowMs: number): PressureTrends {
    const nowMs = this.#clock.monotonicMs();
    const trends = [...this.#slots].flatMap(
      ([name, { history }]) => history.trend(name, windowMs, nowMs) ?? [],
    );
    return { atMs: this.#clock.nowMs(), trends: trends.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  /** Aborts every eviction and waits for them to end; no round starts one after that. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const slot of this.#slots.values()) slot.retire();
    await Promise.all(this.#evictions);
  }

  async #refresh(slot: PoolSlot, signal: AbortSignal | undefined): Promise<void> {
    try {
      await slot.read(signal);
    } catch (error) {
      if (signal?.aborted !== true && !slot.retired.aborted) this.#report(error, `pool ${slot.pool.name}`);
    }
  }

  #start(
    slot: PoolSlot,
    { wantBytes, wantInodes, reading }: Extract<ReliefDecision, { action: "evict" }>,
  ): Promise<ReliefOutcome> {
    this.#evicting.add(slot.pool);
    const eviction = this.#evict(slot, { wantBytes, wantInodes }, reading);
    this.#evictions.add(eviction);
    void eviction.finally(() => this.#evictions.delete(eviction));
    return eviction;
  }

  async #evict(
    slot: PoolSlot,
    wanted: { readonly wantBytes: number; readonly wantInodes: number },
    trigger: PoolReading,
  ): Promise<ReliefOutcome> {
    const outcome = await runEviction({
      slot,
      ...wanted,
      trigger,
      clock: this.#clock,
      deadlineMs: this.#evictionDeadlineMs,
    });
    this.#evicting.delete(slot.pool);
    slot.backOff = afterRound(slot.backOff, {
      wantedBytes: wanted.wantBytes,
      freedBytes: outcome.freedBytes,
      usedBytesAfter: outcome.after?.usedBytes ?? trigger.usedBytes,
      failed: outcome.error !== null,
      endedAtMs: this.#clock.monotonicMs(),
    });
    this.#counters = {
      evictionsFired: this.#counters.evictionsFired + (outcome.attempted && !outcome.dryRun ? 1 : 0),
      bytesFreedTotal: this.#counters.bytesFreedTotal + outcome.freedBytes,
    };
    if (outcome.error !== null && !slot.retired.aborted)
      this.#report(outcome.error, `eviction of pool ${slot.pool.name}`);
    // Nor does a round tell anything that found somebody else relieving the pool.
    // A round that was cut short before it freed anything tells nothing of the pool: that it is stuck least of all.
    const isElsewhere = outcome.error instanceof PoolError && outcome.error.code === "conflict";
    if (outcome.freedBytes > 0 || !(slot.retired.aborted || isElsewhere)) this.#alert(outcome);
    return outcome;
  }

  #alert(outcome: ReliefOutcome): void {
    for (const { sink } of [...this.#sinks]) {
      // Called in a turn of its own: neither a throw nor slow synchronous work reaches the relief.
      void Promise.resolve()
        .then(() => sink(outcome.alert, outcome))
        .catch((error: unknown) => {
          this.#report(error, "alert sink");
        });
    }
  }

  #report(error: unknown, source: string): void {
    try {
      this.#onError(error, source);
    } catch {
      // Whoever hears of errors must not become one: there is nobody left to tell.
    }
  }
}
