import type { BrokerSnapshot, PoolRelief, PressureForecast, PressureTrends } from "@continuum/wire-types";
import { afterRound, isBackingOff, isNextToNothing } from "./back-off.js";
import { type Clock, systemClock } from "./clock.js";
import { DeadlineQueue } from "./deadline-queue.js";
import { decideRelief, type ReliefDecision } from "./decide-relief.js";
import { nextTickMs } from "./next-tick.js";
import { PoolError } from "./pool-error.js";
import { type PoolPolicy, toPoolPolicy } from "./pool-policy.js";
import { PoolSlot } from "./pool-slot.js";
import { toBindingPressure } from "./pressure.js";
import type { AlertSink, ReliefOutcome, ReliefRound } from "./relief.js";
import { afterReliefRound } from "./relief-progress.js";
import type { PoolReading, ResourcePool } from "./resource-pool.js";
import { runEviction } from "./run-eviction.js";
import { toPressureForecast } from "./to-pressure-forecast.js";
import { toPoolRelief } from "./to-pool-relief.js";
import { KeptSnapshot } from "./kept-snapshot.js";
import type { BrokerCounters } from "./to-snapshot.js";
import { toUnreclaimable } from "./to-unreclaimable.js";

/** How long one reading may take. */
const DEFAULT_READ_DEADLINE_MS = 3_000;
/** How long a round waits for readings: pools that answer later are judged by the next one. */
const ROUND_GRACE_MS = 250;
/** How long one eviction may take before its signal aborts. */
const DEFAULT_EVICTION_DEADLINE_MS = 10 * 60_000;

/** How often a broker is ticked unless configured otherwise, in milliseconds. */
export const DEFAULT_TICK_MS = 5_000;

/** What a broker takes; all of it has a default. */
export interface PressureBrokerOptions {
  readonly clock?: Clock;
  /** For pools that are registered without one of their own. */
  readonly policy?: Partial<PoolPolicy>;
  /** Where the counters of an earlier broker ended; 0 each when left out. */
  readonly counters?: BrokerCounters;
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
  readonly #policy: Partial<PoolPolicy>;
  readonly #onError: (error: unknown, source: string) => void;
  readonly #readDeadlines: DeadlineQueue;
  readonly #evictionDeadlineMs: number;
  readonly #slots = new Map<string, PoolSlot>();
  readonly #sinks = new Set<{ readonly sink: AlertSink }>();
  readonly #evictions = new Set<Promise<ReliefOutcome>>();
  /** Since when, in monotonic ms; by pool rather than by name: one that is registered again still is the one that evicts. */
  readonly #evicting = new Map<ResourcePool, number>();
  #counters: BrokerCounters;
  #snapshot: KeptSnapshot | null = null;
  #isClosed = false;

  constructor(options: PressureBrokerOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#policy = options.policy ?? {};
    toPoolPolicy(this.#policy);
    this.#counters = options.counters ?? { evictionsFired: 0, bytesFreedTotal: 0 };
    this.#onError = options.onError ?? (() => undefined);
    this.#readDeadlines = new DeadlineQueue(this.#clock, options.readDeadlineMs ?? DEFAULT_READ_DEADLINE_MS);
    this.#evictionDeadlineMs = options.evictionDeadlineMs ?? DEFAULT_EVICTION_DEADLINE_MS;
  }

  /** Puts a pool under the broker; one of the same name is replaced, and its eviction aborted. */
  register(pool: ResourcePool, policy: Partial<PoolPolicy> = {}): void {
    if (this.#isClosed) throw new Error("the broker is closed");
    const slot = new PoolSlot(pool, toPoolPolicy({ ...this.#policy, ...policy }), this.#readDeadlines);
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

  /** What a pool is relieved by; null when there is no such pool. */
  policy(name: string): PoolPolicy | null {
    return this.#slots.get(name)?.policy ?? null;
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
   * without waiting for them. A pool that is late delays the others by a quarter of a second at most: it is judged by
   * the next round. Never rejects.
   */
  async relieve(signal?: AbortSignal): Promise<ReliefRound> {
    const slots = [...this.#slots.values()];
    // One who listens for the whole round: a signal looks through all of its listeners for each new one.
    if (signal?.aborted !== true)
      await this.#withinGrace(Promise.all(slots.map((slot) => this.#refresh(slot))), signal);
    if (this.#isClosed || signal?.aborted === true) return { decisions: [], done: Promise.resolve([]) };
    const current = slots.filter((slot) => this.#slots.get(slot.pool.name) === slot);
    const overdueBeforeMs = this.#clock.monotonicMs() - this.#evictionDeadlineMs;
    const candidates = current.map((slot) => ({
      name: slot.pool.name,
      reading: slot.usableReading(),
      policy: slot.policy,
      backOff: slot.backOff,
      relief: slot.relief,
      isEvicting: this.#evicting.has(slot.pool),
      isOverdue: (this.#evicting.get(slot.pool) ?? Infinity) < overdueBeforeMs,
    }));
    const decisions = decideRelief(candidates, this.#clock.monotonicMs());
    const started: Promise<ReliefOutcome>[] = [];
    for (const [i, slot] of current.entries()) {
      const decision = decisions[i];
      if (decision === undefined) continue;
      slot.lastDecision = decision.action === "evict" ? "evict" : decision.reason;
      if (decision.action === "evict") started.push(this.#start(slot, decision));
      else if (decision.reason === "nothingReclaimable") started.push(this.#passOver(slot));
    }
    return { decisions, done: Promise.all(started) };
  }

  /** How long until the next round, in ms: `tickMs` when all is calm, less when a pool fills or is being relieved. */
  nextTickMs(tickMs: number): number {
    const nowMs = this.#clock.monotonicMs();
    let timeToFullMs = Infinity;
    let isRelieving = false;
    for (const slot of this.#slots.values()) {
      if (slot.reading?.detected !== true || slot.reading.stale) continue;
      timeToFullMs = Math.min(timeToFullMs, slot.history.timeToFullMs());
      const mayGoOn = !this.#evicting.has(slot.pool) && !isBackingOff(slot.backOff, nowMs);
      isRelieving ||= slot.relief.isRelieving && mayGoOn;
    }
    return nextTickMs({ tickMs, timeToFullMs, isRelieving });
  }

  /** Where each pool's relief stands, by name. */
  relief(): readonly PoolRelief[] {
    const now = { atMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() };
    return [...this.#slots.values()]
      .map((slot) => toPoolRelief(slot, this.#evicting.has(slot.pool), now))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** When each pool will be full, by name. Costs 0.1 to 0.3 ms a pool with an hour of readings every five seconds, 0.6 ms with the 2,400 that are kept at most. */
  forecasts(): readonly PressureForecast[] {
    return [...this.#slots.keys()].sort().flatMap((name) => this.forecast(name) ?? []);
  }

  /** When a pool will be full; null when there is no such pool. */
  forecast(name: string): PressureForecast | null {
    const slot = this.#slots.get(name);
    if (slot === undefined) return null;
    const sinceMs = slot.reading === null ? 0 : this.#clock.monotonicMs() - slot.readingAtMs;
    return toPressureForecast(slot, Math.max(0, Math.round(this.#clock.nowMs() - sinceMs)));
  }

  /** What was evicted since the first broker whose counters this one took over. */
  get counters(): BrokerCounters {
    return this.#counters;
  }

  /** All pools and counters as of the newest readings. */
  snapshot(): BrokerSnapshot {
    if (this.#snapshot?.isOf(this.#slots.values(), this.#counters) !== true) {
      this.#snapshot = new KeptSnapshot(this.#slots.values(), this.#counters);
    }
    return this.#snapshot.snapshot;
  }

  /** How each pool moved over the last `windowMs`; at most the last hour is known. */
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

  async #withinGrace(reads: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    let end = (): void => undefined;
    const enough = new Promise<void>((resolve) => {
      const graceMs = Math.min(ROUND_GRACE_MS, this.#readDeadlines.deadlineMs);
      const cancelTimer = this.#clock.setTimeout(resolve, graceMs);
      const onAbort = (): void => resolve();
      signal?.addEventListener("abort", onAbort, { once: true });
      end = () => {
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
      };
    });
    await Promise.race([reads, enough]);
    end();
  }

  async #refresh(slot: PoolSlot): Promise<void> {
    try {
      await slot.read();
    } catch (error) {
      if (!slot.retired.aborted) this.#report(error, `pool ${slot.pool.name}`);
    }
  }

  #start(slot: PoolSlot, decision: Extract<ReliefDecision, { action: "evict" }>): Promise<ReliefOutcome> {
    this.#evicting.set(slot.pool, this.#clock.monotonicMs());
    const eviction = this.#evict(slot, decision);
    this.#evictions.add(eviction);
    // It never rejects: every failure is an outcome.
    void eviction.finally(() => this.#evictions.delete(eviction));
    return eviction;
  }

  async #evict(
    slot: PoolSlot,
    { wantBytes, reading: trigger }: Extract<ReliefDecision, { action: "evict" }>,
  ): Promise<ReliefOutcome> {
    const outcome = await runEviction({
      slot,
      wantBytes,
      trigger,
      clock: this.#clock,
      deadlineMs: this.#evictionDeadlineMs,
    });
    this.#evicting.delete(slot.pool);
    if (outcome.superfluous) return outcome;
    this.#conclude(slot, outcome);
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

  /** A pool that is hot and says that nothing of it can be freed: as a round without yield, and people hear of it. */
  #passOver(slot: PoolSlot): Promise<ReliefOutcome> {
    const outcome = toUnreclaimable(slot, this.#clock.nowMs());
    this.#conclude(slot, outcome);
    this.#alert(outcome);
    return Promise.resolve(outcome);
  }

  #conclude(slot: PoolSlot, { wantBytes, freedBytes, error, dryRun, after }: ReliefOutcome): void {
    const endedAtMs = this.#clock.monotonicMs();
    slot.backOff = afterRound(slot.backOff, {
      wantedBytes: wantBytes,
      freedBytes,
      usedBytesAfter: after?.usedBytes ?? slot.reading?.usedBytes ?? 0,
      failed: error !== null,
      endedAtMs,
    });
    const isFruitless = error !== null || dryRun || isNextToNothing(freedBytes, wantBytes);
    const pressureAfter = after === null ? null : toBindingPressure(after).pressure;
    slot.relief = afterReliefRound(
      slot.relief,
      { freedBytes, isFruitless, pressureAfter, endedAtMs },
      slot.policy,
    );
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
