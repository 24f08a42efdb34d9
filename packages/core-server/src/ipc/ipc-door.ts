import type { AccessLevel } from "@continuum/wire-types";
import { createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "./endpoint.js";
import { listen, type Listening, type SocketRights } from "./listener.js";

/** One way into the core: where it is, who may open it, and what whoever comes through may ask for. */
export interface DoorOptions {
  readonly endpoint: Endpoint;
  readonly rights: SocketRights;
  readonly access: AccessLevel;
}

/** Listens on one endpoint and hands over each socket that comes. */
export class IpcDoor {
  readonly #server: Server;
  #starting: Promise<Listening> | null = null;
  #listening: Listening | null = null;

  constructor(
    readonly options: DoorOptions,
    onSocket: (socket: Socket) => void,
    private readonly onFailed: (error: Error) => void,
  ) {
    // Half-open: a peer that has sent everything and ended its side still gets its answers.
    this.#server = createServer({ allowHalfOpen: true }, onSocket);
  }

  /** Where it listens, with the real port; the endpoint asked for while it doesn't. */
  get endpoint(): Endpoint {
    return this.#listening?.endpoint ?? this.options.endpoint;
  }

  /** Resolves when peers can connect. Rejects with a CoreError `alreadyRunning` or `listen`. */
  async listen(): Promise<void> {
    this.#starting = listen(this.#server, this.options.endpoint, this.options.rights);
    this.#listening = await this.#starting;
    this.#server.on("error", this.onFailed);
  }

  /** Takes no more peers and removes its socket; those that are in stay. Resolves when the last of them is gone. */
  async close(): Promise<{ readonly emptied: Promise<void> }> {
    // Peers can connect a moment before listening has settled: a stop in between has a socket to remove too.
    // Whoever started it heard of its failure.
    const listening = await this.#starting?.catch(() => null);
    await listening?.release();
    return { emptied: new Promise<void>((resolve) => this.#server.close(() => resolve())) };
  }
}
