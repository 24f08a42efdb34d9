import { seededRandom } from "@continuum/tools/seeded-random";
import { ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountingCore } from "./counting-core.js";
import { type Fault, type FaultCounts, FaultProxy } from "./fault-proxy.js";

/** What came of the calls of a storm. */
export interface StormResult {
  readonly injected: FaultCounts;
  readonly calls: number;
  readonly answered: number;
  /** Ended in a typed error, of commands that may not be sent again. */
  readonly refused: number;
  /** Idempotent calls that ended in an error all the same. */
  readonly idempotentFailed: number;
  /** What must not be: each in words. */
  readonly violations: readonly string[];
}

/** How a storm is made. */
export interface StormOptions {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** The share of chunks that something happens to. */
  readonly rate: number;
  readonly clients: number;
  readonly callsPerClient: number;
}

/** A call that hasn't ended by then is lost, in ms. */
const LOST_AFTER_MS = 30_000;

/**
 * Clients that call a core through a proxy that injects faults. Every second call is one that may not be executed twice:
 * each must end once, in its own answer or in a typed error, and what its error says of its execution must be true.
 */
export async function runFaultStorm(options: StormOptions): Promise<StormResult> {
  const directory = await mkdtemp(join(tmpdir(), "storm-"));
  try {
    const corePath = join(directory, "core.sock");
    const path = join(directory, "proxy.sock");
    await using core = await CountingCore.start(corePath);
    const { seed, faults, rate } = options;
    await using proxy = await FaultProxy.start(path, corePath, { faults, rate, random: seededRandom(seed) });
    const outcomes = (
      await Promise.all(
        Array.from({ length: options.clients }, (_, i) =>
          callAll(`unix://${path}`, i, options.callsPerClient),
        ),
      )
    ).flat();
    return judge(outcomes, core.executions, proxy.counts);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface CallOutcome {
  /** Null for a call that is idempotent. */
  readonly n: number | null;
  readonly result: unknown;
  readonly error: unknown;
}

async function callAll(url: string, client: number, calls: number): Promise<CallOutcome[]> {
  await using core = new RustCoreIPCClient({
    url,
    requestTimeoutMs: LOST_AFTER_MS,
    reconnectForMs: LOST_AFTER_MS,
  });
  // So that the client has seen its core once: what it does before is another matter.
  await core.request("health-check").catch(() => undefined);
  const outcomes: CallOutcome[] = [];
  const inFlight = 8;
  const workers = Array.from({ length: inFlight }, async (_, worker) => {
    for (let i = worker; i < calls; i += inFlight) {
      const n = i % 2 === 0 ? null : client * calls + i;
      const call = n === null ? core.request("health-check") : core.request("test/count", { n });
      outcomes.push(
        await call.then(
          ({ result }) => ({ n, result, error: null }),
          (error: unknown) => ({ n, result: null, error }),
        ),
      );
    }
  });
  await Promise.all(workers);
  return outcomes;
}

function judge(
  outcomes: readonly CallOutcome[],
  executions: ReadonlyMap<number, number>,
  injected: FaultCounts,
): StormResult {
  const violations: string[] = [];
  let refused = 0;
  let idempotentFailed = 0;
  for (const { n, result, error } of outcomes) {
    const times = n === null ? 0 : (executions.get(n) ?? 0);
    if (times > 1) violations.push(`call ${String(n)} was executed ${times} times`);
    if (error === null) {
      const expected = n === null ? { healthy: true } : { n };
      if (JSON.stringify(result) !== JSON.stringify(expected))
        violations.push(`call ${String(n)} got another's answer`);
      if (n !== null && times === 0) violations.push(`call ${n} was answered, not executed`);
      continue;
    }
    if (!(error instanceof ConnectionError)) {
      violations.push(`call ${String(n)} ended in ${error instanceof Error ? error.message : "no error"}`);
    } else if (error.code === "timeout") violations.push(`call ${String(n)} was lost`);
    else if (n !== null && times > 0 && !error.mayHaveExecuted)
      violations.push(`call ${n} was executed, and denied`);
    if (n === null) idempotentFailed += 1;
    else refused += 1;
  }
  return {
    injected,
    calls: outcomes.length,
    answered: outcomes.length - refused - idempotentFailed,
    refused,
    idempotentFailed,
    violations,
  };
}
