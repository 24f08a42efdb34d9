import type { Clock } from "@continuum/broker-core";
import type { AccessLevel, IpcMetrics } from "@continuum/wire-types";
import { createLoopSpin } from "@continuum/wire-types/low-latency";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { PushedEventName } from "../runtime/command-handlers.js";
import type { ConnectionHost, ConnectionRights } from "./connection-host.js";
import { DeadlineList } from "./deadline-list.js";
import type { Endpoint } from "./endpoint.js";
import { IpcConnection } from "./ipc-connection.js";
import { IpcDoor } from "./ipc-door.js";
import { DEFAULT_IPC_LIMITS, type IpcLimits } from "./ipc-limits.js";
import { IpcLoad } from "./ipc-load.js";
import { GROUP_RIGHTS, OWNER_RIGHTS } from "./listener.js";
import type { PendingRequest } from "./pending-request.js";
import { encodeFrame, overloaded } from "./response-encoder.js";
import { openSession, type Session, TokenSession } from "./session.js";
import { SuccessHeads } from "./success-heads.js";
import { TokenCheck } from "./token-check.js";
import { Turns } from "./turns.js";
import type { WaitingAttachment } from "./waiting-attachment.js";

/** What an IPC server needs from its core. */
export interface IpcServerOptions {
  readonly endpoint: Endpoint;
  /** A second socket for those who may read only, which its group may open; none when left out. */
  readonly readEndpoint?: Endpoint | null;
  readonly dispatch: ConnectionHost["dispatch"];
  readonly clock: Clock;
  readonly log: Logger;
  /** What connections to `endpoint` may ask for; everything when left out, since only the owner may open the socket. */
  readonly access?: AccessLevel;
  /** Whether the event loop is kept polling for the next request for a moment after a reply; not when left out. */
  readonly lowLatency?: boolean;
  /** Limits that differ from `DEFAULT_IPC_LIMITS`. */
  readonly limits?: Partial<IpcLimits>;
}

/** What a peer that wasn't answered has, in ms, to read why. */
const FAREWELL_MS = 100;

/** Listens on its endpoints and keeps the connections. */
export class IpcServer {
  readonly #doors: readonly IpcDoor[];
  readonly #main: IpcDoor;
  readonly #connections = new Set<IpcConnection>();
  /** Those that owe a token. */
  readonly #strangers = new Set<IpcConnection>();
  readonly #host: ConnectionHost;
  readonly #limits: IpcLimits;
  #token: TokenCheck | null = null;
  #lastId = 0;
  #onEmpty: (() => void) | null = null;

  constructor(private readonly options: IpcServerOptions) {
    const { clock, log, dispatch, endpoint, readEndpoint = null, access = "admin-only" } = options;
    this.#limits = { ...DEFAULT_IPC_LIMITS, ...options.limits };
    const { requestTimeoutMs, lineTimeoutMs, lingerMs, tokenTimeoutMs, slowReaderMs, unreadReplyMs } =
      this.#limits;
    this.#host = {
      limits: this.#limits,
      log,
      dispatch,
      requestDeadlines: new DeadlineList<PendingRequest>(clock, requestTimeoutMs, (pending) =>
        pending.connection.expireRequest(pending),
      ),
      lineDeadlines: new DeadlineList<IpcConnection>(clock, lineTimeoutMs, (peer) => peer.expireLine()),
      lingerDeadlines: new DeadlineList<IpcConnection>(clock, lingerMs, (peer) => peer.destroy()),
      tokenDeadlines: new DeadlineList<IpcConnection>(clock, tokenTimeoutMs, (peer) => peer.expireToken()),
      slowReaderDeadlines: new DeadlineList<IpcConnection>(clock, slowReaderMs, (peer) => peer.destroy()),
      attachmentDeadlines: new DeadlineList<WaitingAttachment>(clock, unreadReplyMs, (waiting) =>
        waiting.output.expireAttachment(waiting),
      ),
      load: new IpcLoad(this.#limits),
      turns: new Turns(),
      successHeads: new SuccessHeads(),
      spin: options.lowLatency === true ? createLoopSpin() : null,
    };
    this.#main = this.#door({ endpoint, rights: OWNER_RIGHTS, access });
    this.#doors =
      readEndpoint === null
        ? [this.#main]
        : [this.#main, this.#door({ endpoint: readEndpoint, rights: GROUP_RIGHTS, access: "ai-safe" })];
  }

  /** Where it listens, with the real port; the endpoint asked for while it doesn't. */
  get endpoint(): Endpoint {
    return this.#main.endpoint;
  }

  /** How many peers are connected. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** What is under way, against its bounds. */
  get metrics(): IpcMetrics {
    const { maxConnections } = this.#limits;
    return { ...this.#host.load.toMetrics(), maxConnections, unauthenticated: this.#strangers.size };
  }

  /**
   * Resolves when peers can connect; those on TCP owe `token` before anything else, and without one can't do anything.
   * Rejects with a CoreError `alreadyRunning` or `listen`.
   */
  async listen(token: string | null = null): Promise<void> {
    this.#token = token === null ? null : new TokenCheck(token);
    for (const door of this.#doors) await door.listen();
  }

  /** Sends an event to every connection that subscribed to it. */
  push(event: PushedEventName, data: unknown): void {
    let frame: Buffer | null = null;
    for (const connection of this.#connections) {
      if (!connection.isSubscribed(event)) continue;
      // Once for all of them, and not at all for nobody.
      frame ??= encodeFrame({ event, data });
      connection.push(event, frame);
    }
  }

  /**
   * Takes no more connections or requests, answers those in flight for at most `drainMs`, then tells the rest that they
   * weren't answered, and closes.
   */
  async close(drainMs: number): Promise<void> {
    const closing = await Promise.all(this.#doors.map((door) => door.close()));
    for (const connection of this.#connections) connection.drain();
    await this.#emptyWithin(drainMs);
    for (const connection of this.#connections) connection.giveUp();
    await this.#emptyWithin(FAREWELL_MS);
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(closing.map(({ emptied }) => emptied));
    this.#host.requestDeadlines.clear();
    this.#host.lineDeadlines.clear();
    this.#host.lingerDeadlines.clear();
    this.#host.tokenDeadlines.clear();
    this.#host.slowReaderDeadlines.clear();
    this.#host.attachmentDeadlines.clear();
  }

  async #emptyWithin(withinMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.options.clock.setTimeout(resolve, withinMs);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
    });
  }

  #door(options: Pick<IpcDoor["options"], "endpoint" | "rights" | "access">): IpcDoor {
    const isTcp = options.endpoint.kind === "tcp";
    const shared = openSession(options.access);
    const rights: ConnectionRights = {
      session: isTcp ? (connection) => this.#tokenSession(connection, options.access) : () => shared,
      closeOnGarbage: isTcp,
    };
    return new IpcDoor(
      options,
      (socket) => this.#accept(socket, rights, isTcp),
      (error) => this.options.log.error({ err: error }, "the listening socket failed"),
    );
  }

  #tokenSession(connection: IpcConnection, access: AccessLevel): Session {
    const { wrongTokenDelayMs, maxWrongTokens } = this.#limits;
    return new TokenSession({
      clock: this.options.clock,
      check: this.#token,
      access,
      wrongTokenDelayMs,
      maxWrongTokens,
      onAuthenticated: () => {
        this.#strangers.delete(connection);
        connection.onAuthenticated();
      },
      onWrongToken: (count) => {
        const { load } = this.#host;
        load.wrongTokens += 1;
        const facts = { connection: connection.id, count, total: load.wrongTokens };
        this.options.log.warn(facts, "a wrong token came");
      },
      endConnection: () => connection.drain(),
    });
  }

  #accept(socket: Socket, rights: ConnectionRights, owesToken: boolean): void {
    const reason = this.#refusal(owesToken);
    if (reason !== null) {
      this.#host.load.refusedConnections += 1;
      const frame = encodeFrame(overloaded(null, reason));
      // It may have gone already: it is turned away all the same.
      socket.on("error", () => undefined);
      socket.end(frame, () => socket.destroy());
      return;
    }
    this.#lastId += 1;
    const connection = new IpcConnection(this.#lastId, socket, this.#host, rights, () => {
      this.#connections.delete(connection);
      this.#strangers.delete(connection);
      this.#host.load.connections = this.#connections.size;
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    this.#connections.add(connection);
    this.#host.load.connections = this.#connections.size;
    if (owesToken) this.#strangers.add(connection);
  }

  /** Why no more connections are taken; null when there is room. Those who owe a token can't take all of it. */
  #refusal(owesToken: boolean): string | null {
    const { maxConnections, maxUnauthenticated } = this.#limits;
    if (this.#connections.size >= maxConnections) return `${maxConnections} connections are open`;
    if (!owesToken || this.#strangers.size < maxUnauthenticated) return null;
    return `${maxUnauthenticated} connections that owe a token are open`;
  }
}
