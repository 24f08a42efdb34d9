import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A request as it came over the line. */
export interface PeerRequest {
  readonly command: string;
  readonly requestId: number;
  readonly params: Readonly<Record<string, unknown>>;
  /** The connection that it came over. */
  readonly connection: PeerConnection;
  /** Answers with success. */
  readonly reply: (result: unknown, attachment?: Buffer) => void;
  /** Answers with failure. */
  readonly fail: (error: string, errorDetail?: unknown) => void;
}

/** The peer's side of one connection. */
export class PeerConnection {
  constructor(readonly socket: Socket) {}

  /** Writes bytes as they are. */
  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Writes a frame around a message. */
  send(message: unknown, attachment?: Buffer): void {
    this.write(PeerConnection.frame(message, attachment));
  }

  /** Pushes an event. */
  push(event: string, data: unknown): void {
    this.send({ event, data });
  }

  /** A frame's bytes. */
  static frame(message: unknown, attachment?: Buffer): Buffer {
    const json = Buffer.from(JSON.stringify(message));
    const payload = attachment === undefined ? json : Buffer.concat([json, Buffer.of(0), attachment]);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(payload.length);
    return Buffer.concat([header, payload]);
  }
}

/** A core for tests, on a real Unix socket of its own or on TCP, that does what the test says. `await using` removes it. */
export class ScriptedPeer {
  readonly connections: PeerConnection[] = [];
  readonly #requests: PeerRequest[] = [];
  readonly #waiters: ((request: PeerRequest) => void)[] = [];
  #server: Server | null = null;

  #port: number | null = null;

  private constructor(
    /** The socket's path; of no use on TCP. */
    readonly path: string,
    private readonly directory: string,
    private readonly script: ((request: PeerRequest) => void) | null,
  ) {}

  /** Starts one. Requests go to `script`; without one, to `next()`. */
  static async start(script: ((request: PeerRequest) => void) | null = null): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.absent(script);
    await peer.listen();
    return peer;
  }

  /** Starts one on a TCP port of its own, which it keeps over `kill`. */
  static async startTcp(script: ((request: PeerRequest) => void) | null = null): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.absent(script);
    peer.#port = 0;
    await peer.listen();
    return peer;
  }

  /** Where it listens. */
  get url(): string {
    return this.#port === null ? `unix://${this.path}` : `tcp://127.0.0.1:${this.#port}`;
  }

  /** One that doesn't listen yet: its path is free. */
  static async absent(script: ((request: PeerRequest) => void) | null = null): Promise<ScriptedPeer> {
    const directory = await mkdtemp(join(tmpdir(), "peer-"));
    return new ScriptedPeer(join(directory, "core.sock"), directory, script);
  }

  /** Listens, also again after `kill`. */
  async listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    if (this.#port === null) server.listen(this.path);
    else server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  /** The next request, in the order of arrival. */
  next(): Promise<PeerRequest> {
    const request = this.#requests.shift();
    return request === undefined
      ? new Promise((resolve) => this.#waiters.push(resolve))
      : Promise.resolve(request);
  }

  /** Breaks every connection and stops listening, as a killed core does. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const { socket } of this.connections.splice(0)) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    const connection = new PeerConnection(socket);
    this.connections.push(connection);
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => undefined);
    socket.on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#onLine(connection, line);
    });
  }

  #onLine(connection: PeerConnection, line: string): void {
    const { command, requestId, ...params } = JSON.parse(line) as { command: string; requestId: number };
    const request: PeerRequest = {
      command,
      requestId,
      params,
      connection,
      reply: (result, attachment) => connection.send({ success: true, result, requestId }, attachment),
      fail: (error, errorDetail) => connection.send({ success: false, error, errorDetail, requestId }),
    };
    const waiter = this.#waiters.shift();
    if (this.script !== null) this.script(request);
    else if (waiter !== undefined) waiter(request);
    else this.#requests.push(request);
  }
}
