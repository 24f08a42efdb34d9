import type { BenchClient } from "./bench-subject.js";

/** What one round of one subject came to. */
export interface LoadSample {
  readonly operations: number;
  readonly seconds: number;
  /** Of one operation after another; null where several are in flight. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** Processor time of this process, in microseconds. */
  readonly clientCpuUs: number;
}

/** Keeps `inFlight` operations going for so long: whenever one is done, the next begins. */
export async function measureLoad(
  client: BenchClient,
  inFlight: number,
  durationMs: number,
): Promise<LoadSample> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const untilMs = startedMs + durationMs;
  const latenciesMs: number[] = [];
  let operations = 0;
  await new Promise<void>((resolve) => {
    let open = inFlight;
    let begunMs = startedMs;
    const onDone = (): void => {
      const nowMs = performance.now();
      operations += 1;
      if (inFlight === 1) {
        latenciesMs.push(nowMs - begunMs);
        begunMs = nowMs;
      }
      if (nowMs < untilMs) client.issue(onDone);
      else if ((open -= 1) === 0) resolve();
    };
    for (let i = 0; i < inFlight; i += 1) client.issue(onDone);
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = Float64Array.from(latenciesMs).sort();
  const quantileUs = (share: number): number | null =>
    sorted.length === 0 ? null : 1000 * (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  return { operations, seconds, p50Us: quantileUs(0.5), p99Us: quantileUs(0.99), clientCpuUs: user + system };
}
