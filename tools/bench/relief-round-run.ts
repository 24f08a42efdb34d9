/** One run of the bench `relief-round`, in a process of its own: prints its figures as one line of JSON. */
import { PressureBroker } from "@continuum/broker-core";
import { FakePool } from "@continuum/broker-core/testing";

/** Medians per pool. */
export interface RoundFigures {
  readonly state: "calm" | "critical";
  readonly pools: number;
  readonly roundUs: number;
  readonly roundBytes: number;
  readonly bareUs: number;
}

const CAPACITY_BYTES = 1_000;
/** So many pools are read by the rounds of one size, the first of them to warm up. */
const POOL_ROUNDS = 120_000;
const WARM_UP = 1 / 4;

if (process.argv[2] === "run") {
  const figures: RoundFigures[] = [];
  for (const state of ["calm", "critical"] as const)
    for (const pools of [10, 1_000, 10_000]) figures.push(await measure(state, pools));
  console.log(JSON.stringify(figures));
}

async function measure(state: RoundFigures["state"], count: number): Promise<RoundFigures> {
  const broker = new PressureBroker({ policy: { cooldownMs: 0 } });
  const pools = Array.from(
    { length: count },
    (_, i) => new FakePool(`pool-${i}`, { usedBytes: 0, capacityBytes: CAPACITY_BYTES }),
  );
  for (const pool of pools) broker.register(pool);
  // As the core does: one signal for all of a tick.
  const { signal } = new AbortController();
  const rounds: { readonly us: number; readonly bytes: number; readonly bareUs: number }[] = [];
  const repeat = Math.min(200, Math.max(10, POOL_ROUNDS / count));
  for (let i = 0; i < repeat; i += 1) {
    for (const pool of pools) {
      pool.usedBytes = state === "calm" ? 0.5 * CAPACITY_BYTES : 0.97 * CAPACITY_BYTES;
      pool.requests.length = 0;
    }
    globalThis.gc?.();
    const heapBytes = process.memoryUsage().heapUsed;
    const startedMs = performance.now();
    const outcomes = await (await broker.relieve(signal)).done;
    const us = (performance.now() - startedMs) * 1_000;
    const bytes = process.memoryUsage().heapUsed - heapBytes;
    const expected = state === "calm" ? 0 : count;
    if (outcomes.length !== expected)
      throw new Error(`${outcomes.length} pools were relieved, not ${expected}`);
    const bareStartedMs = performance.now();
    await readBare(pools, signal);
    rounds.push({ us, bytes, bareUs: (performance.now() - bareStartedMs) * 1_000 });
  }
  const counted = rounds.slice(Math.ceil(rounds.length * WARM_UP));
  return {
    state,
    pools: count,
    roundUs: median(counted.map(({ us }) => us)) / count,
    roundBytes: median(counted.map(({ bytes }) => bytes)) / count,
    bareUs: median(counted.map(({ bareUs }) => bareUs)) / count,
  };
}

/** The least that any round must do: read all, and find the worst. */
async function readBare(pools: readonly FakePool[], signal: AbortSignal): Promise<number> {
  const readings = await Promise.all(pools.map((pool) => pool.read(signal)));
  return readings.sort((a, b) => b.pressure - a.pressure)[0]?.pressure ?? 0;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
