import type { Clock } from "@continuum/broker-core";
import { randomUUID } from "node:crypto";
import { dropOldest } from "../drop-oldest.js";
import type { EvictionPlan } from "../plan/eviction-plan.js";
import type { EvictionPolicy } from "../plan/eviction-policy.js";
import { EvictionError } from "./eviction-error.js";

/** After this a plan says too little about the disk as it is: it must be made anew. */
export const PLAN_MAX_AGE_MS = 15 * 60_000;

/** Plans of each kind that are kept at once; the oldest is forgotten for a new one. */
const MAX_PLANS = 64;

/** Who has a plan made: one who may apply it, or one who may only propose it. Neither's plans push out the other's. */
export type Planner = "owner" | "guest";

/** A plan that waits to be applied. */
export interface ShelvedPlan {
  readonly planId: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** The engine that it was made for, by the id that the engine gives itself. */
  readonly engineId: string;
  readonly policy: EvictionPolicy;
  readonly plan: EvictionPlan;
}

interface KeptPlan {
  readonly shelved: ShelvedPlan;
  readonly madeAtMs: number;
}

/** Keeps plans until they are applied or too old. Each is applied once. */
export class PlanShelf {
  readonly #clock: Clock;
  readonly #plans = { owner: new Map<string, KeptPlan>(), guest: new Map<string, KeptPlan>() };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps a plan and names it. */
  put(plan: Pick<ShelvedPlan, "engineId" | "policy" | "plan">, planner: Planner = "owner"): ShelvedPlan {
    const createdAtMs = this.#clock.nowMs();
    const expiresAtMs = createdAtMs + PLAN_MAX_AGE_MS;
    const shelved = { ...plan, planId: randomUUID(), createdAtMs, expiresAtMs };
    const plans = this.#plans[planner];
    plans.set(shelved.planId, { shelved, madeAtMs: this.#clock.monotonicMs() });
    dropOldest(plans, MAX_PLANS);
    return shelved;
  }

  /** Gives a plan that may be applied; throws an EvictionError `planUnknown` or `planExpired`. */
  get(planId: string): ShelvedPlan {
    const known = this.#plans.owner.get(planId) ?? this.#plans.guest.get(planId);
    const shown = planId.slice(0, 100);
    if (known === undefined) {
      const reason = "it was never made here, was applied already, or is forgotten since";
      throw new EvictionError(`there is no plan ${shown}: ${reason}; make a new one`, {
        kind: "planUnknown",
        planId: shown,
        reason,
      });
    }
    // By the clock that can't be set: a plan doesn't become young again.
    const ageMs = Math.round(this.#clock.monotonicMs() - known.madeAtMs);
    if (ageMs >= PLAN_MAX_AGE_MS) {
      throw new EvictionError(
        `plan ${shown} is ${Math.round(ageMs / 60_000)} min old, and may be ${PLAN_MAX_AGE_MS / 60_000}: make a new one`,
        { kind: "planExpired", planId: shown, ageMs, maxAgeMs: PLAN_MAX_AGE_MS },
      );
    }
    return known.shelved;
  }

  /** Forgets a plan: it is being applied. */
  take(planId: string): void {
    this.#plans.owner.delete(planId);
    this.#plans.guest.delete(planId);
  }
}
