import type { IpcMetrics } from "@continuum/wire-types";
import type { IpcLimits } from "./ipc-limits.js";

/** What a load is held against. */
export type LoadLimits = Pick<IpcLimits, "maxInFlight" | "maxInFlightTotal" | "maxQueuedBytes">;

/** Of the requests that may be in flight, the share that is kept for connections with little of their own. */
const RESERVED_SHARE = 0.25;
/** A connection with fewer requests in flight may use what is reserved. */
const LIGHT_IN_FLIGHT = 4;

/** Always answered: whoever asks how the core is, is told. They are answered at once, so they never add up. */
const VITAL_COMMANDS: ReadonlySet<string> = new Set(["health-check", "runtime/ipc"]);

/** What all connections together have under way: requests in flight, and bytes that wait in memory. */
export class IpcLoad {
  #inFlight = 0;
  #queuedBytes = 0;
  /** Connections of which a part is counted here. */
  connections = 0;
  overloadedRequests = 0;
  refusedConnections = 0;
  droppedConnections = 0;
  wrongTokens = 0;

  constructor(private readonly limits: LoadLimits) {}

  /** Why a request can't be taken now, of a connection with so many in flight; null when it can. */
  refusal(command: string, ownInFlight: number): string | null {
    const reason = this.#refusal(command, ownInFlight);
    if (reason !== null) this.overloadedRequests += 1;
    return reason;
  }

  /** A request couldn't be answered at once. */
  begin(): void {
    this.#inFlight += 1;
  }

  /** So many requests that had begun have ended. */
  end(count: number): void {
    this.#inFlight -= count;
  }

  /** So many bytes more (or fewer) wait in memory. */
  charge(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  /** Whether a connection that holds so many bytes is one of those that hold too much, now that all together do. */
  isTooMuch(ownBytes: number): boolean {
    const { maxQueuedBytes } = this.limits;
    return this.#queuedBytes > maxQueuedBytes && ownBytes > maxQueuedBytes / Math.max(1, this.connections);
  }

  /** The figures, beside those that the server knows. */
  toMetrics(): Omit<IpcMetrics, "maxConnections" | "unauthenticated"> {
    const { connections, overloadedRequests, refusedConnections, droppedConnections, wrongTokens } = this;
    return {
      connections,
      inFlight: this.#inFlight,
      maxInFlight: this.limits.maxInFlightTotal,
      queuedBytes: this.#queuedBytes,
      maxQueuedBytes: this.limits.maxQueuedBytes,
      overloadedRequests,
      refusedConnections,
      droppedConnections,
      wrongTokens,
    };
  }

  #refusal(command: string, ownInFlight: number): string | null {
    const { maxInFlight, maxInFlightTotal, maxQueuedBytes } = this.limits;
    if (ownInFlight >= maxInFlight) return `${maxInFlight} requests are in flight on this connection`;
    if (VITAL_COMMANDS.has(command)) return null;
    const isLight = ownInFlight < LIGHT_IN_FLIGHT;
    const room = isLight ? maxInFlightTotal : Math.floor(maxInFlightTotal * (1 - RESERVED_SHARE));
    if (this.#inFlight >= room) return `${this.#inFlight} requests are in flight over all connections`;
    if (!isLight && this.#queuedBytes > maxQueuedBytes) {
      return `${this.#queuedBytes} bytes wait to be served or read over all connections`;
    }
    return null;
  }
}
