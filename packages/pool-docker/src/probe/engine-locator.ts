import { type Clock, PoolError } from "@continuum/broker-core";
import { type DockerEndpoint, formatDockerEndpoint } from "../docker-host.js";
import { EngineClient } from "../engine/engine-client.js";
import type { EngineInfo } from "../engine/engine-replies.js";
import { toPoolError } from "../engine/to-pool-error.js";

/** What an engine said about itself is believed for so long. */
const INFO_TTL_MS = 10_000;
/** An engine that let a question time out isn't asked again before this. */
const HUNG_BACK_OFF_MS = 30_000;

/** An engine that answers. */
export interface LocatedEngine {
  readonly endpoint: DockerEndpoint;
  readonly client: EngineClient;
  readonly info: EngineInfo;
}

/** The engine, or one line for each place that was tried. */
export type EngineSighting =
  { readonly engine: LocatedEngine } | { readonly engine: null; readonly tried: readonly string[] };

interface Candidate {
  readonly endpoint: DockerEndpoint;
  readonly client: EngineClient;
  hung: { readonly untilMs: number; readonly error: PoolError } | null;
}

/** Finds the engine among the places where it may listen, and remembers for a while what it said. */
export class EngineLocator {
  readonly #clock: Clock;
  readonly #candidates: readonly Candidate[];
  #known: { readonly engine: LocatedEngine; readonly untilMs: number } | null = null;
  #search: Promise<EngineSighting> | null = null;

  constructor(endpoints: readonly DockerEndpoint[], clock: Clock) {
    this.#clock = clock;
    this.#candidates = endpoints.map((endpoint) => ({
      endpoint,
      client: new EngineClient(endpoint, clock),
      hung: null,
    }));
  }

  /** The engine; asked anew when its last answer is older than 10 s. Never rejects. */
  locate(): Promise<EngineSighting> {
    if (this.#known !== null && this.#clock.monotonicMs() < this.#known.untilMs) {
      return Promise.resolve({ engine: this.#known.engine });
    }
    this.#search ??= this.#find().finally(() => {
      this.#search = null;
    });
    return this.#search;
  }

  /** Makes the next `locate` ask the engine, whatever it said before. */
  forget(): void {
    this.#known = null;
  }

  /** Makes the next `locate` ask engines that hung, too: for what is worth the wait. */
  forgive(): void {
    for (const candidate of this.#candidates) candidate.hung = null;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all(this.#candidates.map(({ client }) => client.close()));
  }

  async #find(): Promise<EngineSighting> {
    this.#known = null;
    const tried: string[] = [];
    for (const candidate of this.#candidates) {
      try {
        const engine = await this.#ask(candidate);
        this.#known = { engine, untilMs: this.#clock.monotonicMs() + INFO_TTL_MS };
        return { engine };
      } catch (error) {
        tried.push(toPoolError(error, formatDockerEndpoint(candidate.endpoint)).message);
      }
    }
    return { engine: null, tried };
  }

  async #ask(candidate: Candidate): Promise<LocatedEngine> {
    const { endpoint, client, hung } = candidate;
    if (hung !== null && this.#clock.monotonicMs() < hung.untilMs) throw hung.error;
    candidate.hung = null;
    try {
      return { endpoint, client, info: await client.info() };
    } catch (error) {
      if (error instanceof PoolError && error.code === "timeout") {
        candidate.hung = { untilMs: this.#clock.monotonicMs() + HUNG_BACK_OFF_MS, error };
      }
      throw error;
    }
  }
}
