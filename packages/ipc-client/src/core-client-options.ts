import type { Environment } from "./endpoint.js";
import { DEFAULT_MAX_FRAME_BYTES } from "./frame-decoder.js";

/** How a client behaves; each has a default. */
export interface CoreClientOptions {
  /** `unix:///PATH`, a path, or `tcp://HOST:PORT`; else what `resolveEndpoint(env)` finds. */
  readonly url?: string | undefined;
  /** The token for a core on TCP; else `CONTINUUM_TOKEN`, the file in `CONTINUUM_TOKEN_FILE`, or the one that a core of this user made. */
  readonly token?: string | undefined;
  /** Where the variables are looked up; `process.env` by default. */
  readonly env?: Environment | undefined;
  /** A request's deadline in ms, connecting included, where the call gives none: 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long connecting may take, in ms: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a request waits for a core that was there and is away, in ms: 10,000. */
  readonly reconnectForMs?: number | undefined;
  /** Requests that may wait for the core; the next one fails with `overloaded`: 10,000. */
  readonly maxWaiting?: number | undefined;
  /**
   * Whether to poll for a reply for up to 50 µs after a request: quicker, for processor time. Only while a processor is to
   * spare, and it pauses by itself where it doesn't help (not a tenth quicker); the core has the same (`--low-latency`).
   * Off.
   */
  readonly lowLatency?: boolean | undefined;
  /** Requests in flight at once; more wait: 512, half of what a core allows. */
  readonly maxInFlight?: number | undefined;
  /** The longest request line: 1 MiB. */
  readonly maxRequestBytes?: number | undefined;
  /** The longest response frame, refused before it is allocated: 1 GiB. */
  readonly maxFrameBytes?: number | undefined;
}

/** The defaults of production. */
export const DEFAULT_CLIENT_OPTIONS = {
  requestTimeoutMs: 30_000,
  connectTimeoutMs: 5_000,
  reconnectForMs: 10_000,
  maxWaiting: 10_000,
  lowLatency: false,
  maxInFlight: 512,
  maxRequestBytes: 1024 * 1024,
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
};
