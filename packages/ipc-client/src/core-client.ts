import {
  type CommandName,
  type CommandParams,
  type CommandResult,
  COMMANDS,
  isCommandName,
} from "@continuum/wire-types";
import { createLoopSpin } from "@continuum/wire-types/low-latency";
import { Readable } from "node:stream";
import { AttachmentStream, type CoreReplyStream } from "./attachment-stream.js";
import type { CallOptions, CommandCaller, StreamOptions } from "./command-caller.js";
import { ConnectionError } from "./connection-error.js";
import { type CoreClientOptions, DEFAULT_CLIENT_OPTIONS } from "./core-client-options.js";
import type { CoreEvents, EventName } from "./core-events.js";
import { CoreLink, type CoreLinkOptions, type CoreLinkOwner } from "./core-link.js";
import { type CoreReply, CoreRequest, type CoreRequestOwner, type CoreRequestParts } from "./core-request.js";
import { Deadlines } from "./deadlines.js";
import { type Endpoint, resolveEndpoint } from "./endpoint.js";
import { EventHub } from "./event-hub.js";
import type { EventStream, EventStreamOptions } from "./event-stream.js";
import { KeepAlive } from "./keep-alive.js";
import { readToken, toTokenSource } from "./token.js";
import { type EncodedRequest, isLongerThan, RequestEncoder, type RequestParams } from "./request-encoder.js";

const nowMs = (): number => performance.now();
/** What it keeps of a command is the same for all clients. */
const encoder = new RequestEncoder();
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

type ClientSettings = typeof DEFAULT_CLIENT_OPTIONS;

/** How requests reach the core, and how their attachments are taken. */
interface RequestPath {
  readonly link: CoreLink;
  /** Lets go of a request that is settled. */
  readonly owner: CoreRequestOwner;
  readonly openAttachment?: CoreRequestParts["openAttachment"];
}

/** Who hears of a connection that is there for one request alone. */
const NOBODY: CoreLinkOwner = {
  onOpen: () => undefined,
  onEvent: () => undefined,
  onLost: () => undefined,
  onUnreachable: () => undefined,
};

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
  readonly #settings: ClientSettings;
  readonly #deadlines = new Deadlines(nowMs);
  readonly #keepAlive = new KeepAlive();
  readonly #linkOptions: CoreLinkOptions;
  readonly #link: CoreLink;
  readonly #path: RequestPath;
  /** Made with the first subscription. */
  #events: EventHub | null = null;
  #isClosed = false;
  /** The connections of replies that are streamed. */
  readonly #streams = new Set<CoreLink>();

  /** Throws an EndpointError for a URL that names none. Connects to nothing yet. */
  constructor({ url, env = process.env, token, ...options }: CoreClientOptions = {}) {
    this.endpoint = resolveEndpoint(env, url);
    const tokenSource = toTokenSource(this.endpoint, env, token);
    const settings = toSettings(options);
    this.#settings = settings;
    this.#linkOptions = {
      endpoint: this.endpoint,
      connection: {
        limits: settings,
        deadlines: this.#deadlines,
        spin: settings.lowLatency ? createLoopSpin() : null,
      },
      reconnectForMs: settings.reconnectForMs,
      maxWaiting: settings.maxWaiting,
      greeting: () => (tokenSource === null ? null : this.#toGreeting(readToken(tokenSource))),
      nowMs,
      random: Math.random,
    };
    this.#link = new CoreLink(this.#linkOptions, {
      onOpen: () => this.#events?.onOpen(),
      onEvent: (name, data) => this.#events?.onEvent(name, data),
      onLost: (dropped) => this.#events?.onLost(dropped),
      onUnreachable: (error) => this.#events?.endAll(error),
    });
    this.#path = { link: this.#link, owner: this.#ownerOver(this.#link) };
  }

  /** Frames so far that answered nothing: late, repeated or unknown ids. */
  get ignoredFrames(): number {
    return this.#link.ignoredFrames;
  }

  /** Runs a command of the contract. Rejects with a CommandError, a ConnectionError, or a DecodeError of the reply. */
  call<C extends CommandName>(
    command: C,
    params: CommandParams<C>,
    options?: CallOptions,
  ): Promise<CommandResult<C>> {
    return this.#send(command, params, options, ({ result }) => COMMANDS[command].decodeResult(result));
  }

  /**
   * Runs any command, also one that this version doesn't know, and gives the core's reply undecoded, with its attachment.
   * Rejects with a CommandError, a ConnectionError, or a TypeError or RangeError for what can't be sent.
   */
  request(command: string, params: RequestParams = {}, options?: CallOptions): Promise<CoreReply> {
    return this.#send(command, params, options, (reply) => reply);
  }

  /**
   * Runs any command, and gives the core's reply as soon as its attachment begins, to be read as it comes. It has a
   * connection of its own: a slow reader holds nobody else up. `timeoutMs` is for the reply, and then for each wait for
   * more; `signal` ends the attachment, too. Rejects as `request` does.
   */
  async stream(
    command: string,
    params: RequestParams = {},
    options: StreamOptions = {},
  ): Promise<CoreReplyStream> {
    const { signal, timeoutMs = this.#settings.requestTimeoutMs, reuseChunks = false } = options;
    const link = new CoreLink(this.#linkOptions, NOBODY);
    this.#streams.add(link);
    this.#keepAlive.acquire();
    const opened: { attachment: AttachmentStream | null } = { attachment: null };
    const onClosed = (): void => {
      if (!this.#streams.delete(link)) return;
      this.#keepAlive.release();
      // It never rejects.
      void link.close();
    };
    const path: RequestPath = {
      link,
      owner: this.#ownerOver(link),
      openAttachment: (bytes, flow) => {
        const attachment = new AttachmentStream({ bytes, flow, timeoutMs, signal, reuseChunks, onClosed });
        opened.attachment = attachment;
        return attachment;
      },
    };
    const decode = ({ result }: CoreReply): CoreReplyStream => toReplyStream(result, opened.attachment);
    try {
      return await this.#send(command, params, options, decode, path);
    } finally {
      // Without an attachment, or without a reply, that was it.
      if (opened.attachment === null) onClosed();
    }
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
    const encoded = encoder.encode(command, { token });
    const parts = { command, encoded, idempotent: false, timeoutMs };
    return new CoreRequest(
      { ...parts, decode: ignore, resolve: ignore, reject: ignore },
      { onSettled: ignore },
    );
  }

  /**
   * Subscribes to an event, from now on. The stream survives reconnects and says through `onGap` when it may have
   * missed something; it keeps the process alive until it ends.
   */
  events<E extends EventName>(name: E, options: EventStreamOptions = {}): EventStream<CoreEvents[E]> {
    this.#events ??= this.#openHub();
    return this.#events.open(name, options);
  }

  /** Closes the connection for good: requests fail with `closed`, streams end. Resolves when nothing is left open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#events?.close();
    const closing = this.#link.close();
    if (this.#streams.size > 0) await Promise.all([...this.#streams].map((link) => link.close()));
    await closing;
    this.#deadlines.clear();
    this.#keepAlive.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #send<T>(
    command: string,
    params: RequestParams,
    { signal, timeoutMs = this.#settings.requestTimeoutMs, attachmentInto }: CallOptions = {},
    decode: (reply: CoreReply) => T,
    { link, owner, openAttachment }: RequestPath = this.#path,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
        throw new RangeError(`timeoutMs must be above 0 and at most ${MAX_TIMEOUT_MS}, not ${timeoutMs}`);
      }
      if (signal?.aborted === true) {
        throw new ConnectionError("aborted", `${command} was aborted`, { cause: signal.reason });
      }
      const parts: CoreRequestParts = {
        command,
        encoded: this.#encode(command, params),
        idempotent: isCommandName(command) && COMMANDS[command].idempotent,
        timeoutMs,
        signal,
        attachmentInto,
        openAttachment,
        decode,
        // It is resolved with what `decode` gave.
        resolve: resolve as (value: unknown) => void,
        reject,
      };
      const request = new CoreRequest(parts, owner);
      const now = nowMs();
      this.#deadlines.add(request, timeoutMs, now);
      link.submit(request, now);
    });
  }

  #ownerOver(link: CoreLink): CoreRequestOwner {
    return {
      onSettled: (request) => {
        this.#deadlines.delete(request);
        link.withdraw(request);
      },
    };
  }

  #openHub(): EventHub {
    const hub = new EventHub({
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
    if (this.#isClosed) hub.close();
    return hub;
  }

  #encode(command: string, params: RequestParams): EncodedRequest {
    const encoded = encoder.encode(command, params);
    const { maxRequestBytes } = this.#settings;
    if (!isLongerThan(encoded, maxRequestBytes)) return encoded;
    throw new ConnectionError("tooLarge", `${command}: the request is longer than ${maxRequestBytes} bytes`);
  }
}

function toReplyStream(result: unknown, attachment: AttachmentStream | null): CoreReplyStream {
  return {
    result,
    attachmentBytes: attachment?.bytes ?? 0,
    attachment: attachment?.readable ?? Readable.from([]),
  };
}

/** The defaults but for what is given; an option that is given as undefined is not given. */
function toSettings(options: {
  [K in keyof ClientSettings]?: ClientSettings[K] | undefined;
}): ClientSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0
    ? DEFAULT_CLIENT_OPTIONS
    : { ...DEFAULT_CLIENT_OPTIONS, ...Object.fromEntries(given) };
}
