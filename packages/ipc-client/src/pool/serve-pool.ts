import type { CommandParams, PoolEvictRequest } from "@continuum/wire-types";
import { CommandError } from "../command-error.js";
import { ConnectionError } from "../connection-error.js";
import type { RustCoreIPCClient } from "../rust-core-ipc-client.js";
import type { ServablePool } from "./servable-pool.js";

const DEFAULT_REPORT_MS = 1_000;
/** A core that is away for longer fails a report, and the next one tries again. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How long the last word to the core may take. */
const FAREWELL_MS = 1_000;

/** How a pool is served. */
export interface ServePoolOptions {
  /** How often it reports, 100 to 600,000 ms: 1,000. Silent for two and a half times this, it is stale. */
  readonly reportEveryMs?: number | undefined;
  /** Its thresholds where they aren't the core's. */
  readonly policy?: Pick<
    CommandParams<"system/pool-register">,
    "actAbove" | "stopBelow" | "target" | "floor"
  >;
  /** Ends the serving: the pool is unregistered, what it evicts is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Hears what is tried again: a core that is away, a name that somebody else has, a reading or eviction that failed. */
  readonly onProblem?: (error: unknown) => void;
}

/**
 * Puts a pool of this process under a core and serves it until `signal` aborts or the client is closed, over every
 * restart of the core: it registers again by itself. Resolves then. Rejects with a CommandError for what can't become
 * right by waiting, such as a threshold that the core doesn't take. The client stays the caller's; several pools may
 * share one.
 */
export async function servePool(
  client: RustCoreIPCClient,
  pool: ServablePool,
  options: ServePoolOptions = {},
): Promise<void> {
  await new PoolService(client, pool, options).run();
}

/** One pool's service. */
class PoolService {
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #reportEveryMs: number;
  #requests: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #isWoken = false;
  #wake = (): void => undefined;

  constructor(
    private readonly client: RustCoreIPCClient,
    private readonly pool: ServablePool,
    private readonly options: ServePoolOptions,
  ) {
    const { signal, reportEveryMs = DEFAULT_REPORT_MS } = options;
    this.#reportEveryMs = reportEveryMs;
    this.#signal = signal === undefined ? this.#ended.signal : AbortSignal.any([signal, this.#ended.signal]);
  }

  async run(): Promise<void> {
    const onAbort = (): void => this.#soon();
    this.#signal.addEventListener("abort", onAbort);
    try {
      while (!this.#signal.aborted) {
        this.#listen();
        await this.#attempt(() => this.#report());
        await this.#pause();
      }
    } finally {
      this.#ended.abort();
      this.#signal.removeEventListener("abort", onAbort);
      await this.#requests;
      // Where it can't be told any more, the core hears it by the silence.
      await this.client
        .poolUnregister({ name: this.pool.name }, { timeoutMs: FAREWELL_MS })
        .catch(() => undefined);
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Reports; where the core doesn't know the pool on this connection, registers it: at first, and after each restart. */
  async #report(answer: Partial<CommandParams<"system/pool-report">> = {}): Promise<void> {
    const { name } = this.pool;
    const { usedBytes, capacityBytes, reclaimableBytes, stale, counters } = await this.pool.read(
      this.#signal,
    );
    if (stale === true) return;
    const figures = {
      usedBytes,
      capacityBytes,
      ...(reclaimableBytes == null ? {} : { reclaimableBytes }),
      ...counters,
    };
    const options = { timeoutMs: REQUEST_TIMEOUT_MS, signal: this.#signal };
    try {
      await this.client.poolReport({ ...figures, ...answer, name }, options);
    } catch (error) {
      if (!isAboutName(error)) throw error;
      const registration = { ...figures, ...this.options.policy, name, reportEveryMs: this.#reportEveryMs };
      await this.client.poolRegister(registration, options);
    }
  }

  /** Takes eviction requests; a stream that failed, as without a core, is opened again with the next report. */
  #listen(): void {
    if (this.#requests !== null) return;
    const stream = this.client.events("pool-evict", {
      signal: this.#signal,
      // The connection is another one now: the pool isn't registered on it.
      onGap: () => this.#soon(),
    });
    const take = async (): Promise<void> => {
      try {
        for await (const request of stream) {
          if (request.pool === this.pool.name) await this.#attempt(() => this.#evict(request));
        }
      } catch (error) {
        // Whoever is subscribed waits for a core as long as it takes: `closed` is the client itself, as is the end.
        if (!(error instanceof ConnectionError && error.code === "closed")) throw error;
      }
      this.#ended.abort();
    };
    this.#requests = this.#attempt(take).finally(() => (this.#requests = null));
  }

  async #evict({ evictionId, wantBytes, deadlineMs }: PoolEvictRequest): Promise<void> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(deadlineMs)]);
    let answer: { readonly freedBytes: number; readonly error?: string };
    try {
      const { claimedBytes, shortfall } = await this.pool.evict({ wantBytes, signal });
      answer = { freedBytes: claimedBytes, ...(shortfall === null ? {} : { error: shortfall }) };
    } catch (error) {
      this.#tell(error);
      answer = { freedBytes: 0, error: error instanceof Error ? error.message : String(error) };
    }
    await this.#report({ evictionId, ...answer });
    // What was freed is measured by the report after the answer.
    this.#soon();
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (this.#signal.aborted) return;
      if (isHopeless(error)) this.#fail(error);
      else this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    try {
      this.options.onProblem?.(error);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#ended.abort();
  }

  /** The next report is due now. */
  #soon(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async #pause(): Promise<void> {
    if (!this.#isWoken && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#reportEveryMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isWoken = false;
    this.#wake = () => undefined;
  }
}

/** The core knows no such pool of this connection; or, at a registration, somebody else has the name. */
function isAboutName(error: unknown): boolean {
  if (!(error instanceof CommandError)) return false;
  const { errorDetail } = error;
  return errorDetail?.kind === "invalidParams" && errorDetail.path === "name";
}

/** What waiting doesn't mend: what the core understood and refused, but for a name that may become free. */
function isHopeless(error: unknown): boolean {
  if (!(error instanceof CommandError)) return false;
  const { errorDetail } = error;
  if (errorDetail?.kind !== "invalidParams") {
    return errorDetail?.kind === "accessDenied" || errorDetail?.kind === "unknownCommand";
  }
  return errorDetail.path !== "name" && errorDetail.path !== "evictionId";
}
