/** One run of the bench `week`, in a process of its own: prints its figures as one line of JSON. */
import type { Clock } from "@continuum/broker-core";
import { FakePool, toReading } from "@continuum/broker-core/testing";
import { createCore, resolveConfig } from "@continuum/core-server";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the core takes up at the end of a day. */
export interface DayFigures {
  readonly day: number;
  readonly ticks: number;
  readonly messages: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly stateBytes: number;
}

const DAY_MS = 86_400_000;
const TICK_MS = 60_000;
const START_MS = 1_700_000_000_000;
const CAPACITY_BYTES = 1_000_000_000;

/** Time that is as fast as what happens in it. */
class FastClock implements Clock {
  #monotonicMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  nowMs(): number {
    return START_MS + this.#monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimeout(run: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Calls what falls due until then, in order, each time with what it began at its end. */
  async advanceTo(untilMs: number): Promise<void> {
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      this.#timers.delete(next);
      next.run();
      // A few turns: what the core looks for on disk is real.
      for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#monotonicMs = untilMs;
  }
}

const [mode, directory, days] = process.argv.slice(2);
if (mode === "file" || mode === "memory" || mode === "leak") {
  const home = mkdtempSync(join(directory ?? ".", "continuum-week-"));
  try {
    console.log(JSON.stringify(await live(home, Number(days), mode)));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function live(
  home: string,
  days: number,
  mode: "file" | "memory" | "leak",
): Promise<readonly DayFigures[]> {
  const clock = new FastClock();
  writeFileSync(join(home, "file"), "");
  const flags = {
    tickMs: `${TICK_MS}`,
    // Below a file there can be no directory: the state is remembered in memory then.
    stateDirectory: join(home, mode === "memory" ? "file/state" : "state"),
    dockerHost: `unix://${join(home, "no-engine.sock")}`,
  };
  const config = resolveConfig(flags, { CONTINUUM_HOME: home });
  const core = createCore(config, { clock });
  const pools = makePools();
  for (const { pool } of pools) core.broker.register(pool, { cooldownMs: 60_000 });
  const count = { ticks: 0, messages: 0 };
  const leaked: unknown[] = [];
  core.events.subscribe(["broker-state", "alert-message"], ({ name, data }) => {
    if (mode === "leak") leaked.push(structuredClone(data));
    if (name === "alert-message") count.messages += 1;
    else {
      count.ticks += 1;
      for (const { pool, next } of pools) pool.usedBytes = next(pool.usedBytes, clock.monotonicMs());
      // What a test remembers isn't the core's.
      for (const { pool } of pools) pool.requests.length = 0;
    }
  });
  await core.start();
  const figures: DayFigures[] = [];
  for (let day = 1; day <= days; day += 1) {
    await clock.advanceTo(day * DAY_MS);
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const stateBytes = mode === "memory" ? 0 : statSync(join(home, "state", "state.db")).size;
    figures.push({ day, ...count, heapBytes: heapUsed, rssBytes: rss, stateBytes });
  }
  const stopping = core.stop();
  await clock.advanceTo((days + 1) * DAY_MS);
  await stopping;
  return figures;
}

/** A pool and how full it is next. */
interface LivingPool {
  readonly pool: FakePool;
  readonly next: (usedBytes: number, atMs: number) => number;
}

function makePools(): readonly LivingPool[] {
  const make = (name: string, ratio: number): FakePool =>
    new FakePool(name, { usedBytes: ratio * CAPACITY_BYTES, capacityBytes: CAPACITY_BYTES });
  const stuck = make("stuck", 0.97);
  stuck.onEvict = () => Promise.resolve(stuck.free(0));
  const away = make("away", 0.5);
  let reads = 0;
  away.onRead = () => {
    reads += 1;
    const { usedBytes, capacityBytes } = away;
    return reads % 100 < 10
      ? Promise.reject(new Error("away"))
      : Promise.resolve(toReading({ usedBytes, capacityBytes }));
  };
  return [
    // Filled within hours and relieved, again and again.
    { pool: make("filling", 0.5), next: (used) => used + 500_000 },
    { pool: stuck, next: (used) => used },
    // Hot for twenty minutes of each hour.
    {
      pool: make("flapping", 0.5),
      next: (_, atMs) => ((atMs / 60_000) % 60 < 20 ? 0.9 : 0.5) * CAPACITY_BYTES,
    },
    { pool: away, next: (_, atMs) => Math.round((0.5 + 0.01 * Math.sin(atMs / 1e6)) * CAPACITY_BYTES) },
  ];
}
