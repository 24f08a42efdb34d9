import type { Clock } from "@continuum/broker-core";
import type { AccessLevel } from "@continuum/wire-types";
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { PushedEventName } from "../runtime/command-handlers.js";
import { DeadlineList } from "./deadline-list.js";
import type { Endpoint } from "./endpoint.js";
import { type ConnectionHost, IpcConnection } from "./ipc-connection.js";
import { DEFAULT_IPC_LIMITS, type IpcLimits } from "./ipc-limits.js";
import { listen, type Listening } from "./listener.js";
import type { PendingRequest } from "./pending-request.js";
import { encodeFrame, toFailure } from "./response-encoder.js";

/** What an IPC server needs from its core. */
export interface IpcServerOptions {
  readonly endpoint: Endpoint;
  readonly dispatch: ConnectionHost["dispatch"];
  readonly clock: Clock;
  readonly log: Logger;
  /** What its connections may ask for; everything when left out, since only the owner may open the socket. */
  readonly access?: AccessLevel;
  /** Limits that differ from `DEFAULT_IPC_LIMITS`. */
  readonly limits?: Partial<IpcLimits>;
}

/** Listens on the endpoint and keeps the connections. */
export class IpcServer {
  readonly #server: Server;
  readonly #connections = new Set<IpcConnection>();
  readonly #host: ConnectionHost;
  readonly #limits: IpcLimits;
  #starting: Promise<Listening> | null = null;
  #listening: Listening | null = null;
  #lastId = 0;
  #onEmpty: (() => void) | null = null;

  constructor(private readonly options: IpcServerOptions) {
    const { clock, log, dispatch, endpoint } = options;
    this.#limits = { ...DEFAULT_IPC_LIMITS, ...options.limits };
    const { requestTimeoutMs, lineTimeoutMs, lingerMs } = this.#limits;
    this.#host = {
      limits: this.#limits,
      log,
      dispatch,
      access: options.access ?? "admin-only",
      requestDeadlines: new DeadlineList<PendingRequest>(clock, requestTimeoutMs, (pending) =>
        pending.connection.expireRequest(pending),
      ),
      lineDeadlines: new DeadlineList<IpcConnection>(clock, lineTimeoutMs, (peer) => peer.expireLine()),
      lingerDeadlines: new DeadlineList<IpcConnection>(clock, lingerMs, (peer) => peer.destroy()),
      closeOnGarbage: endpoint.kind === "tcp",
    };
    // Half-open: a peer that has sent everything and ended its side still gets its answers.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Where it listens, with the real port; the endpoint asked for while it doesn't. */
  get endpoint(): Endpoint {
    return this.#listening?.endpoint ?? this.options.endpoint;
  }

  /** How many peers are connected. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves when peers can connect. Rejects with a CoreError `alreadyRunning` or `listen`. */
  async listen(): Promise<void> {
    this.#starting = listen(this.#server, this.options.endpoint);
    this.#listening = await this.#starting;
    this.#server.on("error", (error) =>
      this.options.log.error({ err: error }, "the listening socket failed"),
    );
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

  /** Takes no more connections or requests, answers those in flight for at most `drainMs`, then closes the rest. */
  async close(drainMs: number): Promise<void> {
    // Peers can connect a moment before listening has settled: a stop in between has a socket to remove too.
    const listening = await this.#starting?.catch(() => null);
    await listening?.release();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.drain();
    await this.#emptyWithin(drainMs);
    for (const connection of this.#connections) connection.destroy();
    await closed;
    this.#host.requestDeadlines.clear();
    this.#host.lineDeadlines.clear();
    this.#host.lingerDeadlines.clear();
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

  #accept(socket: Socket): void {
    const { maxConnections } = this.#limits;
    if (this.#connections.size >= maxConnections) {
      const reason = `${maxConnections} connections are open`;
      const frame = encodeFrame(toFailure(null, `overloaded: ${reason}`, { kind: "overloaded", reason }));
      socket.on("error", () => undefined);
      socket.end(frame, () => socket.destroy());
      return;
    }
    this.#lastId += 1;
    const connection = new IpcConnection(this.#lastId, socket, this.#host, () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    this.#connections.add(connection);
  }
}
