import {
  type Clock,
  type EvictionRequest,
  type EvictionResult,
  PoolError,
  type PoolReading,
  type ResourcePool,
  toPressure,
} from "@continuum/broker-core";
import type { PoolEvictRequest } from "@continuum/wire-types";

/** What a process says of its pool; sizes in bytes. */
export interface PoolReport {
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly reclaimableBytes: number | null;
  readonly counters: PoolReading["counters"];
}

/** What came of an eviction that the process was asked for. */
export interface PoolEvictionAnswer {
  readonly evictionId: string;
  readonly freedBytes: number;
  readonly error: string | null;
}

/** How long a process is given to answer an eviction request, in ms. */
const EVICTION_DEADLINE_MS = 60_000;
/** Reports may be so many of their intervals late before the pool's figures are stale, and before it is gone. */
const STALE_AFTER = 2.5;
const GONE_AFTER = 10;
const MIN_GONE_MS = 30_000;

interface OpenEviction {
  readonly id: string;
  /** What the process answered; null until it has. */
  answered: PoolEvictionAnswer | null;
  /** The process has answered: what it freed is measured by its next report. */
  readonly answer: (answer: PoolEvictionAnswer) => void;
  /** There is a report from after the answer. */
  readonly measure: () => void;
  readonly fail: (error: PoolError) => void;
}

/** A pool of another process: it shows what was reported, and is relieved by asking. */
export class RemotePool implements ResourcePool {
  readonly staleAfterMs: number;
  readonly goneAfterMs: number;
  #report: PoolReport;
  #reportedMs: number;
  #reportedAtMs: number;
  /** Sends a request to the process; null while its connection is lost. */
  #ask: ((request: PoolEvictRequest) => boolean) | null;
  #eviction: OpenEviction | null = null;
  #evictions = 0;

  constructor(
    readonly name: string,
    first: PoolReport,
    private readonly options: {
      readonly clock: Clock;
      readonly reportEveryMs: number;
      readonly idPrefix: string;
    },
    ask: (request: PoolEvictRequest) => boolean,
  ) {
    this.staleAfterMs = Math.round(options.reportEveryMs * STALE_AFTER);
    this.goneAfterMs = Math.max(MIN_GONE_MS, options.reportEveryMs * GONE_AFTER);
    this.#report = first;
    this.#reportedMs = options.clock.monotonicMs();
    this.#reportedAtMs = options.clock.nowMs();
    this.#ask = ask;
  }

  /** What was reported last. */
  get lastReport(): PoolReport {
    return this.#report;
  }

  /** Whether nothing was heard of it for so long that it is to be forgotten. */
  get isGone(): boolean {
    return this.#silentMs() >= this.goneAfterMs;
  }

  /** Whether the process was asked for an eviction that hasn't ended. */
  get isEvicting(): boolean {
    return this.#eviction !== null;
  }

  /**
   * Takes a report, and the answer to an eviction request that may come with it; false when nobody waits for that. The
   * figures count in any case; an eviction is measured by the first ones that come after its answer.
   */
  report(report: PoolReport, answer: PoolEvictionAnswer | null): boolean {
    this.#report = report;
    this.#reportedMs = this.options.clock.monotonicMs();
    this.#reportedAtMs = this.options.clock.nowMs();
    const eviction = this.#eviction;
    const isAnswered = eviction !== null && eviction.answered !== null;
    if (isAnswered) eviction.measure();
    if (answer === null) return true;
    if (isAnswered || eviction?.id !== answer.evictionId) return false;
    eviction.answer(answer);
    return true;
  }

  /** The connection is lost: the figures are stale from now on, and what was asked isn't answered any more. */
  disconnect(): void {
    this.#ask = null;
    this.#eviction?.fail(new PoolError("unreachable", `the process of pool ${this.name} has gone`));
  }

  read(signal: AbortSignal): Promise<PoolReading> {
    if (signal.aborted)
      return Promise.reject(new PoolError("aborted", `reading pool ${this.name} was aborted`));
    const { usedBytes, capacityBytes, reclaimableBytes, counters } = this.#report;
    return Promise.resolve({
      atMs: this.#reportedAtMs,
      detected: capacityBytes > 0,
      usedBytes,
      capacityBytes,
      pressure: toPressure(usedBytes, capacityBytes),
      reclaimableBytes,
      stale: this.#ask === null || this.#silentMs() >= this.staleAfterMs,
      counters,
    });
  }

  entries(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async evict({ wantBytes, signal }: EvictionRequest): Promise<EvictionResult> {
    const { freedBytes, error } = await this.#askToEvict(wantBytes, signal);
    return { claimedBytes: freedBytes, deleted: [], wouldDelete: [], dryRun: false, shortfall: error };
  }

  #askToEvict(wantBytes: number, signal: AbortSignal): Promise<PoolEvictionAnswer> {
    const { name } = this;
    return new Promise((resolve, reject) => {
      if (signal.aborted) throw new PoolError("aborted", `the eviction of pool ${name} was aborted`);
      if (this.#ask === null) throw new PoolError("unreachable", `the process of pool ${name} has gone`);
      if (this.#eviction !== null) throw new PoolError("conflict", `pool ${name} is evicting already`);
      const settle = (run: () => void): void => {
        cancel();
        signal.removeEventListener("abort", onAbort);
        this.#eviction = null;
        run();
      };
      const fail = (error: PoolError): void => settle(() => reject(error));
      const onAbort = (): void => {
        // What was freed is freed: the figures that came with the answer are the best there are.
        if (eviction.answered !== null) eviction.measure();
        else fail(new PoolError("aborted", `the eviction of pool ${name} was aborted`));
      };
      this.#evictions += 1;
      const id = `${this.options.idPrefix}-${this.#evictions}`;
      const eviction: OpenEviction = {
        id,
        answered: null,
        answer: (answer) => {
          eviction.answered = answer;
          // The next report may be long in coming; should none come, the pool is gone at last.
          cancel();
        },
        measure: () => {
          const { answered } = eviction;
          if (answered !== null) settle(() => resolve(answered));
        },
        fail,
      };
      this.#eviction = eviction;
      const cancel = this.options.clock.setTimeout(() => {
        fail(new PoolError("timeout", `pool ${name} did not answer within ${EVICTION_DEADLINE_MS} ms`));
      }, EVICTION_DEADLINE_MS);
      signal.addEventListener("abort", onAbort, { once: true });
      const isSent = this.#ask({ pool: name, evictionId: id, wantBytes, deadlineMs: EVICTION_DEADLINE_MS });
      if (!isSent) fail(new PoolError("unreachable", `the process of pool ${name} has gone`));
    });
  }

  #silentMs(): number {
    return this.options.clock.monotonicMs() - this.#reportedMs;
  }
}
