import { Connection, type ConnectionPort } from "./connection.js";
import { ConnectionError } from "./connection-error.js";
import type { CoreRequest } from "./core-request.js";
import type { Endpoint } from "./endpoint.js";
import { RequestQueue } from "./request-queue.js";
import { decideReconnect, DEFAULT_RECONNECT_LIMITS } from "./reconnect-policy.js";

/** How a link behaves. */
export interface CoreLinkOptions {
  readonly endpoint: Endpoint;
  readonly connection: ConnectionPort;
  /** How long a request waits for a core that was there and is away. */
  readonly reconnectForMs: number;
  /** Requests that wait for a connection or for room on it. */
  readonly maxWaiting: number;
  /** What is sent first on each new connection, if anything. Throws a ConnectionError where that can't be told. */
  readonly greeting: () => CoreRequest | null;
  readonly nowMs: () => number;
  /** A random number of [0, 1). */
  readonly random: () => number;
}

/** Who is told of a link's connections. */
export interface CoreLinkOwner {
  /** Connected, for the first time or again. */
  onOpen(): void;
  onEvent(name: string, data: unknown): void;
  /** The connection that was open is gone; with what the core said, where it ended it for being read too slowly. */
  onLost(dropped: string | null): void;
  /** There is no core, and the policy says not to wait for one. */
  onUnreachable(error: ConnectionError): void;
}

/**
 * How often a request is sent that may be sent again: one that ends the core must not end it for ever. A core that is
 * dying still accepts connections for a moment, so a few of them are used up on it; the delays in between grow to
 * more than a second together.
 */
const MAX_SENDS = 8;

/** Why requests of a closed client fail. */
const CLOSED = "the client was closed";

/** Brings requests to the core over one connection at a time, which it makes when something needs it, and again. */
export class CoreLink {
  readonly #waiting = new RequestQueue();
  #connection: Connection | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #failedAttempts = 0;
  #everConnected = false;
  #retained = 0;
  #isFlushing = false;
  readonly #flush = (): void => {
    this.#isFlushing = false;
    this.#connection?.sendFrom(this.#waiting);
  };
  #isClosed = false;
  #ignoredFrames = 0;

  constructor(
    private readonly options: CoreLinkOptions,
    private readonly owner: CoreLinkOwner,
  ) {}

  /** Frames that answered nothing. */
  get ignoredFrames(): number {
    return this.#ignoredFrames;
  }

  get isOpen(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  /** Sends the request, which is made at `nowMs`, as soon as possible; it is failed here when that can't be. */
  submit(request: CoreRequest, nowMs: number): void {
    const { maxWaiting } = this.options;
    if (this.#isClosed) {
      request.failWith("closed", CLOSED);
    } else if (this.#waiting.size >= maxWaiting) {
      request.failWith("overloaded", `${request.command}: ${maxWaiting} requests wait for the core already`);
    } else {
      this.#wait(request, nowMs);
      this.#advance();
    }
  }

  /** Lets go of a request that is settled. */
  withdraw(request: CoreRequest): void {
    if (request.id === null) this.#waiting.delete(request);
    else this.#connection?.forget(request.id);
  }

  /** Keeps a connection up, also without requests, until as many `release`. */
  retain(): void {
    this.#retained += 1;
    if (!this.#isClosed) this.#advance();
  }

  release(): void {
    this.#retained -= 1;
  }

  /** Ends everything: requests fail with `closed`. Resolves when the socket is gone. */
  async close(): Promise<void> {
    const connection = this.#connection;
    if (!this.#isClosed) {
      this.#isClosed = true;
      if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
      this.#retryTimer = null;
      // An error costs a stack trace: none where it would be nobody's.
      if (connection?.isIdle === true) connection.discard();
      else connection?.close(new ConnectionError("closed", CLOSED));
      for (let request = this.#waiting.first; request !== null; request = this.#waiting.first) {
        this.#waiting.delete(request);
        request.failWith("closed", CLOSED);
      }
    }
    await connection?.closed();
  }

  #wait(request: CoreRequest, nowMs: number): void {
    request.waitingSinceMs = nowMs;
    this.#waiting.add(request);
  }

  /** Does the next thing that brings the waiting requests forward. */
  #advance(): void {
    if (this.#connection === null) {
      if (this.#retryTimer === null) this.#connect();
    } else if (this.#connection.isOpen && !this.#isFlushing) {
      // After the other calls of this turn, and of the continuations of the replies that came in it.
      this.#isFlushing = true;
      process.nextTick(this.#flush);
    }
  }

  #connect(): void {
    this.#retryTimer = null;
    const connection: Connection = new Connection(this.options.endpoint, this.options.connection, {
      onOpen: () => {
        this.#everConnected = true;
        if (!this.#greet(connection)) return;
        this.owner.onOpen();
        this.#connection?.sendFrom(this.#waiting);
      },
      onRoom: () => {
        if (this.#waiting.size > 0) this.#advance();
      },
      onEvent: (name, data) => this.owner.onEvent(name, data),
      onIgnored: () => (this.#ignoredFrames += 1),
      onClosed: (error, inFlight) => this.#onClosed(connection, error, inFlight),
    });
    this.#connection = connection;
  }

  /** Sends the greeting; without it the connection is of no use, and closed with the reason. */
  #greet(connection: Connection): boolean {
    try {
      const greeting = this.options.greeting();
      if (greeting !== null) {
        const first = new RequestQueue();
        first.add(greeting);
        connection.sendFrom(first);
      }
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      connection.close(error);
      return false;
    }
  }

  #onClosed(connection: Connection, error: ConnectionError, inFlight: readonly CoreRequest[]): void {
    // A connection that was of use ends a row of failures.
    this.#failedAttempts = connection.isHealthy ? 0 : this.#failedAttempts + 1;
    this.#connection = null;
    if (inFlight.length > 0) this.#recover(inFlight, error);
    if (this.#isClosed) return;
    if (connection.wasOpen) this.owner.onLost(connection.droppedFor);
    if (this.#failedAttempts > 0) this.#backOff(error);
    else if (this.#waiting.size > 0 || this.#retained > 0) this.#advance();
  }

  /** Puts what may be sent again before what waits already, and fails the rest. */
  #recover(inFlight: readonly CoreRequest[], error: ConnectionError): void {
    const waiting = this.#waiting.takeAll();
    for (const request of inFlight) {
      const mayRepeat = request.idempotent && request.sendCount < MAX_SENDS && error.code !== "protocol";
      if (mayRepeat && !this.#isClosed) this.#wait(request, this.options.nowMs());
      else request.failWith(error.code, `${request.command}: ${error.message}`, error);
    }
    for (const request of waiting) this.#waiting.add(request);
  }

  /** Fails what shouldn't wait any longer; connects again later if somebody still waits. */
  #backOff(error: ConnectionError): void {
    const nowMs = this.options.nowMs();
    let delayMs = Infinity;
    for (const request of [...this.#waiting]) {
      const decision = this.#decide(error, nowMs - request.waitingSinceMs, this.options.reconnectForMs);
      if (decision.kind === "stop") request.failWith(error.code, error.message, error);
      else delayMs = Math.min(delayMs, decision.delayMs);
    }
    if (this.#retained > 0) {
      // Whoever is subscribed waits as long as it takes.
      const decision = this.#decide(error, 0, Infinity);
      if (decision.kind === "stop") this.owner.onUnreachable(error);
      else delayMs = Math.min(delayMs, decision.delayMs);
    }
    if (delayMs === Infinity) {
      this.#failedAttempts = 0;
      return;
    }
    this.#retryTimer = setTimeout(() => this.#retry(), delayMs);
    this.#retryTimer.unref();
  }

  #decide(
    error: ConnectionError,
    elapsedMs: number,
    reconnectForMs: number,
  ): ReturnType<typeof decideReconnect> {
    const state = {
      attempt: this.#failedAttempts,
      elapsedMs,
      error: error.code,
      everConnected: this.#everConnected,
    };
    const limits = { ...DEFAULT_RECONNECT_LIMITS, reconnectForMs };
    return decideReconnect(state, limits, this.options.random());
  }

  #retry(): void {
    this.#retryTimer = null;
    if (this.#waiting.size > 0 || this.#retained > 0) this.#connect();
    else this.#failedAttempts = 0;
  }
}
