import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PressureBroker, type ReliefOutcome, toPoolPolicy } from "./index.js";
import { ManualClock } from "./testing/index.js";
import { EVICT_MODES, ModelPool, READ_MODES } from "./testing/model-pool.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const STEPS_PER_RUN = 50;
const RUNS = isLong ? 20_000 : 1_000;
const POOLS = 4;
const policy = toPoolPolicy();

/** What may happen, once each; `pool` is one of a few. */
type Step =
  | { readonly kind: "fill"; readonly pool: number; readonly ratio: number }
  | { readonly kind: "reclaimable"; readonly pool: number; readonly bytes: number | null }
  | { readonly kind: "read"; readonly pool: number; readonly mode: (typeof READ_MODES)[number] }
  | { readonly kind: "evict"; readonly pool: number; readonly mode: (typeof EVICT_MODES)[number] }
  | { readonly kind: "vanish" | "return" | "replace"; readonly pool: number }
  | { readonly kind: "tick" }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "jump"; readonly ms: number }
  | { readonly kind: "sleep"; readonly ms: number }
  | { readonly kind: "resize"; readonly pool: number; readonly factor: number };

const pool = fc.nat(POOLS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("fill" as const),
      pool,
      ratio: fc.double({ min: 0, max: 1.3, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reclaimable" as const),
      pool,
      bytes: fc.option(fc.nat(400_000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("read" as const), pool, mode: fc.constantFrom(...READ_MODES) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("evict" as const),
      pool,
      mode: fc.constantFrom(...EVICT_MODES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("vanish" as const, "return" as const, "replace" as const),
      pool,
    }),
  },
  { weight: 8, arbitrary: fc.constant({ kind: "tick" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 250, 5_000, 70_000, 700_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("jump" as const),
      ms: fc.constantFrom(0, 1, 4_000_000_000_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("sleep" as const),
      ms: fc.constantFrom(2_000, 30_000, 30_000_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("resize" as const), pool, factor: fc.constantFrom(0.5, 2) }),
  },
);

/** A broker with its pools, and what is known of its outcomes. */
class World {
  readonly clock = new ManualClock();
  readonly broker = new PressureBroker({ clock: this.clock, policy });
  readonly pools: ModelPool[] = [];
  /** By number, the one that is there now. */
  readonly current: (ModelPool | null)[] = [];
  readonly outcomes: ReliefOutcome[] = [];
  readonly heard: ReliefOutcome[] = [];
  readonly #rounds: Promise<unknown>[] = [];

  constructor() {
    this.broker.addAlertSink((_, outcome) => void this.heard.push(outcome));
    for (let number = 0; number < POOLS; number += 1) this.add(number);
  }

  add(number: number): void {
    const after = (ms: number): Promise<void> =>
      new Promise((resolve) => void this.clock.setTimeout(resolve, ms));
    const added = new ModelPool(`pool-${number}`, policy, after, () => this.clock.monotonicMs());
    this.pools.push(added);
    this.current[number] = added;
    this.broker.register(added);
  }

  async tick(): Promise<void> {
    const round = this.broker.relieve();
    this.#rounds.push(
      round.then(async ({ done }) => {
        this.outcomes.push(...(await done));
      }),
    );
    await this.clock.advance(0);
  }

  async play(step: Step): Promise<void> {
    switch (step.kind) {
      case "tick":
        return this.tick();
      case "wait":
        return this.clock.advance(step.ms);
      case "jump":
        this.clock.jumpTo(step.ms);
        return;
      case "sleep":
        // Nothing settles in between: what was under way wakes up in another time.
        this.clock.leap(step.ms);
        return;
      default:
        this.#change(step);
    }
  }

  #change(step: Exclude<Step, { kind: "tick" | "wait" | "jump" | "sleep" }>): void {
    const there = this.current[step.pool] ?? null;
    if (step.kind === "vanish") {
      this.broker.unregister(`pool-${step.pool}`);
      this.current[step.pool] = null;
    } else if (step.kind === "return" ? there === null : step.kind === "replace") {
      this.add(step.pool);
    } else if (there !== null) {
      if (step.kind === "fill") there.fill(step.ratio);
      if (step.kind === "resize") there.capacityBytes = Math.round(there.capacityBytes * step.factor);
      if (step.kind === "reclaimable") there.reclaimableBytes = step.bytes;
      if (step.kind === "read") there.readMode = step.mode;
      if (step.kind === "evict") there.evictMode = step.mode;
    }
  }

  violations(): string[] {
    return this.pools.flatMap(({ name, violations }) => violations.map((each) => `${name}: ${each}`));
  }

  /** Lets everything end that can. */
  async quiesce(): Promise<void> {
    await this.clock.advance(4_000_000);
    await this.broker.close();
    await this.clock.advance(4_000_000);
    await Promise.all(this.#rounds);
  }
}

describe("the broker, model-checked", () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  beforeAll(() => void process.on("unhandledRejection", onUnhandled));
  afterAll(() => void process.off("unhandledRejection", onUnhandled));

  it(
    `keeps its rules over ${RUNS * STEPS_PER_RUN} steps`,
    async () => {
      let evictions = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: STEPS_PER_RUN, maxLength: STEPS_PER_RUN }),
          async (steps) => {
            const world = new World();
            for (const each of steps) {
              await world.play(each);
              const { bytesFreedTotal } = world.broker.counters;
              expect(Number.isSafeInteger(bytesFreedTotal) && bytesFreedTotal >= 0).toBe(true);
              expect(world.violations()).toEqual([]);
            }
            // Whatever the others do, a healthy pool that is hot is relieved: the loop lives.
            const healthy = new ModelPool(
              "healthy",
              policy,
              () => Promise.resolve(),
              () => world.clock.monotonicMs(),
            );
            healthy.fill(0.9);
            world.broker.register(healthy);
            for (let i = 0; i < 60 && healthy.pressure > policy.stopBelow; i += 1) {
              await world.tick();
              await world.clock.advance(60_000);
            }
            expect(healthy.pressure).toBeLessThanOrEqual(policy.stopBelow);
            await world.quiesce();
            expect(world.violations()).toEqual([]);
            expect(unhandled).toEqual([]);
            // The counters are the sum of what was measured, no more and no less.
            const begun = [...world.pools, healthy].reduce(
              (sum, { evictionsBegun }) => sum + evictionsBegun,
              0,
            );
            expect(world.broker.counters).toEqual({
              evictionsFired: begun,
              bytesFreedTotal: world.outcomes.reduce((sum, { before, after, measured, attempted }) => {
                const freed = (before?.usedBytes ?? 0) - (after?.usedBytes ?? 0);
                return sum + (measured && attempted ? Math.max(0, freed) : 0);
              }, 0),
            });
            expect(world.outcomes.filter(({ attempted }) => attempted)).toHaveLength(begun);
            expect(world.outcomes).toEqual(expect.arrayContaining(world.heard));
            evictions += begun;
          },
        ),
        { numRuns: RUNS, endOnFailure: isLong },
      );
      // Runs in which nothing happens prove nothing.
      expect(evictions).toBeGreaterThan(RUNS);
    },
    isLong ? 3_600_000 : 60_000,
  );
});
