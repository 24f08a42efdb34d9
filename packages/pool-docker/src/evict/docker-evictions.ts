import {
  type Clock,
  type EvictedItem,
  type EvictionRequest,
  type EvictionResult,
  PoolError,
  wantedBytes,
} from "@continuum/broker-core";
import type {
  DockerEvictionHistory,
  DockerEvictionOutcome,
  DockerEvictionPlan,
  DockerEvictionRun,
  DockerUndoOutcome,
  DockerUndoRun,
} from "@continuum/wire-types";
import { randomUUID } from "node:crypto";
import type { DockerLog } from "../docker-log.js";
import type { EvictionLedger, LedgerEntry } from "../journal/eviction-ledger.js";
import type { UseHistory } from "../journal/image-use.js";
import type { DockerInventory } from "../plan/docker-inventory.js";
import type { EvictionPlan } from "../plan/eviction-plan.js";
import type { EvictionPolicy, EvictionPolicyName } from "../plan/eviction-policy.js";
import { planEviction } from "../plan/plan-eviction.js";
import { type DockerMeasurement, requireDetected } from "../probe/docker-measurement.js";
import { EvictionError } from "./eviction-error.js";
import { type HistoryWish, readHistory } from "./eviction-history.js";
import { EvictionRecord } from "./eviction-record.js";
import { lostByEviction, lostImage } from "./lost-entries.js";
import { OneAtATime } from "./one-at-a-time.js";
import { type Planner, PlanShelf, type ShelvedPlan } from "./plan-shelf.js";
import { recoverNames } from "./recover-names.js";
import { type EvictingEngine, type EvictionEnd, runEviction } from "./run-eviction.js";
import { toEvictedItem, toWireOutcome, toWirePlan } from "./say-eviction.js";
import { undoEviction } from "./undo-eviction.js";

const SETTLE_MS = 150;

/** The engine whose disk is measured. */
export interface DiskEngine {
  /** As the engine names itself; another engine has another. */
  readonly id: string;
  readonly engine: EvictingEngine;
  /** False with containerd's image store, whose digests don't say that a registry has an image. */
  readonly digestsAreFromRegistries: boolean;
}

/** What evictions work with. */
export interface DockerEvictionsOptions {
  readonly clock: Clock;
  readonly log: DockerLog;
  readonly ledger: EvictionLedger;
  /** Whether the ledger survives the core. */
  readonly isDurable: () => boolean;
  readonly uses: () => UseHistory;
  /** The engine behind the disk; throws a PoolError when none is, or the disk is another one's. */
  readonly engineOfDisk: () => Promise<DiskEngine>;
  /** A measurement that begins when it is called. */
  readonly measure: () => Promise<DockerMeasurement>;
  readonly takeInventory: (policy: EvictionPolicy, signal: AbortSignal) => Promise<DockerInventory>;
  readonly policyNamed: (name: EvictionPolicyName) => EvictionPolicy;
  /** Told of each plan, for the pool's figures. */
  readonly onPlan: (plan: EvictionPlan) => void;
  /** Told how many things an eviction deleted. */
  readonly onDeleted: (count: number) => void;
}

/** What a plan is to free: bytes, or what is above a pressure. */
export type PlanWish = { readonly wantBytes: number } | { readonly target: number };

/** Something that was begun and goes on by itself: how far it is, and its end. */
export interface Underway<T> {
  /** How far it is now. */
  readonly state: () => T;
  /** Resolves at its end, never rejects. */
  readonly ended: Promise<void>;
}

/** Plans, carries out, remembers and takes back evictions of Docker's disk; one at a time. */
export class DockerEvictions {
  readonly #options: DockerEvictionsOptions;
  readonly #shelf: PlanShelf;
  readonly #closed = new AbortController();
  readonly #turn = new OneAtATime();
  #recovery: Promise<void> | null = null;

  constructor(options: DockerEvictionsOptions) {
    this.#options = options;
    this.#shelf = new PlanShelf(options.clock);
  }

  /** Whether an eviction or an undo is running. */
  get isRunning(): boolean {
    return this.#turn.isBusy;
  }

  /**
   * Gives images their names back that an eviction had taken when its process was killed, by what the ledger says they
   * were. Does nothing while an eviction is running.
   */
  async recover(): Promise<void> {
    const { engine } = await this.#options.engineOfDisk();
    if (this.#turn.isBusy) return;
    const recovery = this.#turn.run("recovery", () => this.#recover(engine));
    // What waits for it goes on whatever came of it; its error is the caller's.
    this.#recovery = recovery.catch(() => undefined);
    await recovery;
  }

  /** What is asked for while names are being given back waits for that: it takes a moment. */
  async #afterRecovery(): Promise<void> {
    await this.#recovery;
    this.#recovery = null;
  }

  #recover(engine: EvictingEngine): Promise<void> {
    return recoverNames(engine, this.#options.ledger, this.#options.log);
  }

  /** Frees what a broker wants, by plans of its own. Throws a PoolError; `conflict` when another one is running. */
  async relieve(
    { wantBytes, wantInodes = 0, signal: asked }: EvictionRequest,
    policyName: EvictionPolicyName,
  ): Promise<EvictionResult> {
    const signal = AbortSignal.any([asked, this.#closed.signal]);
    if (signal.aborted) throw new PoolError("aborted", "the eviction was aborted before it began");
    await this.#afterRecovery();
    this.#turn.conflictWhileBusy();
    const deleted: EvictedItem[] = [];
    const evictionId = randomUUID();
    const end = await this.#turn.run(evictionId, async () => {
      const disk = await this.#options.engineOfDisk();
      await this.#recover(disk.engine);
      return await this.#run(disk, this.#options.policyNamed(policyName), {
        evictionId,
        plan: null,
        planId: null,
        wantBytes,
        wantInodes,
        signal,
        onOutcome: (entry, outcome) => {
          if (outcome.outcome === "deleted") deleted.push(toEvictedItem(entry));
        },
      });
    });
    const { claimedBytes, shortfall } = end;
    return { claimedBytes, deleted, wouldDelete: [], dryRun: false, shortfall };
  }

  /** What `relieve` would delete, by the same plan; deletes nothing. Throws a PoolError. */
  async rehearse(
    { wantBytes, signal }: EvictionRequest,
    policyName: EvictionPolicyName,
    shortfall: string,
  ): Promise<EvictionResult> {
    await this.#afterRecovery();
    this.#turn.conflictWhileBusy();
    await this.#options.engineOfDisk();
    const plan = await this.#plan(this.#options.policyNamed(policyName), wantBytes, signal);
    const wouldDelete = plan.entries.map(toEvictedItem);
    return { claimedBytes: 0, deleted: [], wouldDelete, dryRun: true, shortfall };
  }

  /** Plans and keeps the plan for `apply`. Throws a PoolError. */
  async plan(
    wish: PlanWish,
    policyName: EvictionPolicyName,
    signal: AbortSignal,
    planner?: Planner,
  ): Promise<DockerEvictionPlan> {
    const { id } = await this.#options.engineOfDisk();
    const measured = requireDetected(await this.#options.measure());
    const { usedBytes, capacityBytes } = measured;
    const wantBytes =
      "wantBytes" in wish
        ? wish.wantBytes
        : wantedBytes(usedBytes, capacityBytes, { target: wish.target, floor: 0 });
    const policy = this.#options.policyNamed(policyName);
    const plan = await this.#plan(policy, wantBytes, signal);
    return toWirePlan(this.#shelf.put({ engineId: id, policy, plan }, planner), measured);
  }

  /**
   * Begins to carry out a plan, which goes on until its end or until the pool closes. Throws an EvictionError when it
   * can't be begun, a PoolError when the engine or the disk isn't there.
   */
  async apply(planId: string): Promise<Underway<DockerEvictionRun>> {
    const shelved = this.#shelf.get(planId);
    await this.#afterRecovery();
    this.#turn.refuseWhileBusy();
    const disk = await this.#options.engineOfDisk();
    if (disk.id !== shelved.engineId) {
      const reason = "it was made for another engine than the one that runs now";
      throw new EvictionError(`plan ${planId}: ${reason}`, { kind: "planUnknown", planId, reason });
    }
    await this.#afterRecovery();
    this.#turn.refuseWhileBusy();
    this.#shelf.get(planId);
    this.#shelf.take(planId);
    return this.#begin(shelved, disk);
  }

  #begin(shelved: ShelvedPlan, disk: DiskEngine): Underway<DockerEvictionRun> {
    const { clock } = this.#options;
    const { planId, policy, plan } = shelved;
    const evictionId = randomUUID();
    const outcomes: DockerEvictionOutcome[] = [];
    const base = { evictionId, planId, policy: policy.name, startedAtMs: clock.nowMs() };
    let end: Pick<
      DockerEvictionRun,
      "state" | "endedAtMs" | "claimedBytes" | "measuredBytes" | "note"
    > | null = null;
    const ended = this.#turn.run(evictionId, async () => {
      try {
        await this.#recover(disk.engine);
        const { claimedBytes, measuredBytes, shortfall } = await this.#run(disk, policy, {
          evictionId,
          plan,
          planId,
          wantBytes: plan.wantBytes,
          wantInodes: 0,
          signal: this.#closed.signal,
          onOutcome: (_entry, outcome) => void outcomes.push(outcome),
        });
        end = { state: "finished", endedAtMs: clock.nowMs(), claimedBytes, measuredBytes, note: shortfall };
      } catch (error) {
        end = { state: "failed", endedAtMs: clock.nowMs(), ...toSums(outcomes), note: toNote(error) };
        if (!(error instanceof PoolError)) throw error;
      }
    });
    return {
      state: () => ({
        ...base,
        ...(end ?? { state: "running", endedAtMs: null, ...toSums(outcomes), note: null }),
        outcomes: [...outcomes],
      }),
      ended: this.#watched(ended),
    };
  }

  /** A page of the ledger, newest first. */
  history(wish: HistoryWish): DockerEvictionHistory {
    return { ...readHistory(this.#options.ledger, wish), durable: this.#options.isDurable() };
  }

  /**
   * Begins to bring back what an eviction deleted, or one image. Throws an EvictionError when there is nothing of the
   * kind in the ledger, or something else is running.
   */
  async undo(
    what: { readonly evictionId: string } | { readonly image: string },
  ): Promise<Underway<DockerUndoRun>> {
    const { clock, ledger, log, measure } = this.#options;
    await this.#afterRecovery();
    this.#turn.refuseWhileBusy();
    const lost =
      "evictionId" in what ? lostByEviction(ledger, what.evictionId) : lostImage(ledger, what.image);
    const { engine } = await this.#options.engineOfDisk();
    await this.#afterRecovery();
    this.#turn.refuseWhileBusy();
    const undoId = randomUUID();
    const identity = { evictionId: undoId, planId: null, cause: "undo", policy: "none" } as const;
    const record = new EvictionRecord(identity, ledger, log, () => clock.nowMs());
    const outcomes: DockerUndoOutcome[] = [];
    const startedAtMs = clock.nowMs();
    let end: Pick<DockerUndoRun, "state" | "endedAtMs" | "note"> | null = null;
    const ended = this.#turn.run(undoId, async () => {
      const { signal } = this.#closed;
      const onOutcome = (outcome: DockerUndoOutcome): void => void outcomes.push(outcome);
      try {
        await undoEviction({ engine, measure, clock, record, onOutcome }, lost, signal);
      } catch (error) {
        end = { state: "failed", endedAtMs: clock.nowMs(), note: toNote(error) };
        throw error;
      }
      const wasCutOff = signal.aborted && outcomes.length < lost.length;
      const hasFailed = outcomes.some(({ outcome }) => outcome === "failed");
      end = {
        state: wasCutOff || hasFailed ? "failed" : "finished",
        endedAtMs: clock.nowMs(),
        note: wasCutOff ? "the core stopped before all was brought back" : null,
      };
    });
    return {
      state: () => ({
        undoId,
        startedAtMs,
        ...(end ?? { state: "running", endedAtMs: null, note: null }),
        restoredCount: outcomes.filter(({ outcome }) => outcome === "restored").length,
        outcomes: [...outcomes],
      }),
      ended: this.#watched(ended),
    };
  }

  /** Aborts what is running and waits for it. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the pool was closed"));
    await this.#turn.ended();
  }

  async #plan(policy: EvictionPolicy, wantBytes: number, signal: AbortSignal): Promise<EvictionPlan> {
    const { clock, uses, takeInventory, onPlan } = this.#options;
    const inventory = await takeInventory(policy, signal);
    const plan = planEviction(inventory, uses(), policy, { wantBytes, nowMs: clock.nowMs() });
    onPlan(plan);
    return plan;
  }

  #run(
    { engine, digestsAreFromRegistries }: DiskEngine,
    policy: EvictionPolicy,
    run: {
      readonly evictionId: string;
      readonly plan: EvictionPlan | null;
      readonly planId: string | null;
      readonly wantBytes: number;
      readonly wantInodes: number;
      readonly signal: AbortSignal;
      readonly onOutcome: (entry: EvictionPlan["entries"][number], outcome: DockerEvictionOutcome) => void;
    },
  ): Promise<EvictionEnd> {
    const { clock, log, ledger, uses, measure, takeInventory, onPlan, onDeleted } = this.#options;
    const { evictionId, plan, planId, wantBytes, wantInodes, signal } = run;
    const cause: LedgerEntry["cause"] = planId === null ? "pressure" : "plan";
    const identity = { evictionId, planId, cause, policy: policy.name };
    return runEviction(
      {
        engine,
        digestsAreFromRegistries,
        clock,
        log,
        policy,
        plan,
        record: new EvictionRecord(identity, ledger, log, () => clock.nowMs()),
        uses,
        measure,
        settleMs: SETTLE_MS,
        takeInventory: (each) => takeInventory(policy, each),
        onPlan,
        onOutcome: (outcome) => {
          if (outcome.outcome === "deleted") onDeleted(1);
          run.onOutcome(outcome.entry, toWireOutcome(outcome));
        },
      },
      { wantBytes, wantInodes },
      signal,
    );
  }

  /** A bug in what goes on by itself is said, and doesn't end the process. */
  async #watched(run: Promise<void>): Promise<void> {
    try {
      await run;
    } catch (error) {
      this.#options.log.warn({ err: error }, "an eviction ended by an unexpected error");
    }
  }
}

function toSums(outcomes: readonly DockerEvictionOutcome[]): {
  readonly claimedBytes: number;
  readonly measuredBytes: number;
} {
  return {
    claimedBytes: outcomes.reduce((sum, { claimedBytes }) => sum + claimedBytes, 0),
    measuredBytes: outcomes.reduce((sum, { measuredBytes }) => sum + (measuredBytes ?? 0), 0),
  };
}

function toNote(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
