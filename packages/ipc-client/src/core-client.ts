import {
  type CommandName,
  type CommandParams,
  type CommandResult,
  COMMANDS,
  isCommandName,
} from "@continuum/wire-types";
import type { CallOptions, CommandCaller } from "./command-caller.js";
import { ConnectionError } from "./connection-error.js";
import { type CoreClientOptions, DEFAULT_CLIENT_OPTIONS } from "./core-client-options.js";
import type { CoreEvents, EventName } from "./core-events.js";
import { CoreLink } from "./core-link.js";
import { type CoreReply, CoreRequest } from "./core-request.js";
import { Deadlines } from "./deadlines.js";
import { type Endpoint, resolveEndpoint } from "./endpoint.js";
import { EventHub } from "./event-hub.js";
import type { EventStream, EventStreamOptions } from "./event-stream.js";
import { KeepAlive } from "./keep-alive.js";
import { DEFAULT_RECONNECT_LIMITS } from "./reconnect-policy.js";
import { readToken, toTokenSource } from "./token.js";
import { isLongerThan, RequestEncoder, type RequestParams } from "./request-encoder.js";

const nowMs = (): number => performance.now();
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The base of every client: one connection, made at the first request and again whenever it breaks.
 *
 * The first connection is made or fails at once. Later, requests wait for a core that is away, for `reconnectForMs`
 * and within their own deadline. A request that was in flight when the connection broke is sent again if its command
 * is idempotent, and fails with `closed` and `mayHaveExecuted` otherwise. An idle client doesn't keep the process alive.
 */
export class CoreClient implements CommandCaller {
  /** Where its core listens. */
  readonly endpoint: Endpoint;
  readonly #settings: typeof DEFAULT_CLIENT_OPTIONS;
  readonly #encoder = new RequestEncoder();
  readonly #deadlines = new Deadlines(nowMs);
  readonly #keepAlive = new KeepAlive();
  readonly #link: CoreLink;
  readonly #events: EventHub;

  /** Throws an EndpointError for a URL that names none. Connects to nothing yet. */
  constructor({ url, env = process.env, token, ...options }: CoreClientOptions = {}) {
    this.endpoint = resolveEndpoint(env, url);
    const tokenSource = toTokenSource(this.endpoint, env, token);
    const settings = { ...DEFAULT_CLIENT_OPTIONS, ...withoutUndefined(options) };
    this.#settings = settings;
    this.#link = new CoreLink(
      {
        endpoint: this.endpoint,
        connection: settings,
        reconnect: { ...DEFAULT_RECONNECT_LIMITS, reconnectForMs: settings.reconnectForMs },
        maxWaiting: settings.maxWaiting,
        greeting: () => (tokenSource === null ? null : this.#toGreeting(readToken(tokenSource))),
        nowMs,
        random: Math.random,
      },
      {
        onOpen: () => this.#events.onOpen(),
        onEvent: (name, data) => this.#events.onEvent(name, data),
        onLost: () => this.#events.onLost(),
        onUnreachable: (error) => this.#events.endAll(error),
      },
    );
    this.#events = new EventHub({
      isOpen: () => this.#link.isOpen,
      retain: () => {
        this.#keepAlive.acquire();
        this.#link.retain();
      },
      release: () => {
        this.#keepAlive.release();
        this.#link.release();
      },
      subscribe: (events) => this.call("events/subscribe", { events }),
      unsubscribe: (events) => this.call("events/unsubscribe", { events }),
    });
  }

  /** Frames so far that answered nothing: late, repeated or unknown ids. */
  get ignoredFrames(): number {
    return this.#link.ignoredFrames;
  }

  /** Runs a command of the contract. Rejects with a CommandError, a ConnectionError, or a DecodeError of the reply. */
  async call<C extends CommandName>(
    command: C,
    params: CommandParams<C>,
    options?: CallOptions,
  ): Promise<CommandResult<C>> {
    const { result } = await this.request(command, params, options);
    return COMMANDS[command].decodeResult(result);
  }

  /**
   * Runs any command, also one that this version doesn't know, and gives the core's reply undecoded, with its attachment.
   * Rejects with a CommandError, a ConnectionError, or a TypeError or RangeError for what can't be sent.
   */
  request(command: string, params: RequestParams = {}, options: CallOptions = {}): Promise<CoreReply> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs = this.#settings.requestTimeoutMs } = options;
      if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
        throw new RangeError(`timeoutMs must be above 0 and at most ${MAX_TIMEOUT_MS}, not ${timeoutMs}`);
      }
      if (signal?.aborted === true) throw aborted(command, signal);
      const encoded = this.#encoder.encode(command, params);
      const { maxRequestBytes } = this.#settings;
      if (isLongerThan(encoded, maxRequestBytes)) {
        throw new ConnectionError(
          "tooLarge",
          `${command}: the request is longer than ${maxRequestBytes} bytes`,
        );
      }
      const onAbort = (): void => request.failWith("aborted", `${command} was aborted`, signal?.reason);
      const request = new CoreRequest({
        command,
        encoded,
        idempotent: isCommandName(command) && COMMANDS[command].idempotent,
        timeoutMs,
        resolve,
        reject,
        onSettled: () => {
          signal?.removeEventListener("abort", onAbort);
          this.#deadlines.delete(request);
          this.#link.withdraw(request);
          this.#keepAlive.release();
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#keepAlive.acquire();
      this.#deadlines.add(request, timeoutMs);
      this.#link.submit(request);
    });
  }

  /**
   * What is sent first on each connection that owes a token, before and without waiting for anything. Its answer is
   * nobody's: a core that refuses the token refuses the requests behind it, and says why.
   */
  #toGreeting(token: string | null): CoreRequest | null {
    if (token === null) return null;
    const command = "session/authenticate";
    const ignore = (): void => undefined;
    const { requestTimeoutMs: timeoutMs } = this.#settings;
    const encoded = this.#encoder.encode(command, { token });
    const parts = { command, encoded, idempotent: false, timeoutMs };
    return new CoreRequest({ ...parts, resolve: ignore, reject: ignore, onSettled: ignore });
  }

  /**
   * Subscribes to an event, from now on. The stream survives reconnects and says through `onGap` when it may have
   * missed something; it keeps the process alive until it ends.
   */
  events<E extends EventName>(name: E, options: EventStreamOptions = {}): EventStream<CoreEvents[E]> {
    return this.#events.open(name, options);
  }

  /** Closes the connection for good: requests fail with `closed`, streams end. Resolves when nothing is left open. */
  async close(): Promise<void> {
    this.#events.close();
    await this.#link.close();
    this.#deadlines.clear();
    this.#keepAlive.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function aborted(command: string, signal: AbortSignal): ConnectionError {
  return new ConnectionError("aborted", `${command} was aborted`, { cause: signal.reason });
}

/** An option that is given as undefined is not given. */
function withoutUndefined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
