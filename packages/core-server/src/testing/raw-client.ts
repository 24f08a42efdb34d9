import { connect, type NetConnectOpts, type Socket } from "node:net";

/** A frame's JSON as it came; tests look into it. */
export interface RawReply {
  readonly success?: boolean;
  readonly result?: unknown;
  readonly error?: string;
  readonly requestId?: number;
  readonly errorDetail?: { readonly kind: string } & Record<string, unknown>;
  readonly event?: string;
  readonly data?: unknown;
  /** The bytes behind the JSON's zero byte, when there is one. */
  readonly attachment?: Buffer;
}

/** A peer for tests that knows nothing of the client package: bytes out, frames in. */
export class RawClient {
  readonly #frames: RawReply[] = [];
  #waiting: ((reply: RawReply | null) => void)[] = [];
  #received = Buffer.alloc(0);
  #isClosed = false;
  readonly #closed: Promise<void>;

  private constructor(readonly socket: Socket) {
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", () => undefined);
    this.#closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        for (const waiter of this.#waiting.splice(0)) waiter(null);
        resolve();
      });
    });
  }

  /** Connects to a socket's path or a TCP address. */
  static connect(target: string | NetConnectOpts, halfOpen = false): Promise<RawClient> {
    const options = typeof target === "string" ? { path: target } : target;
    return new Promise((resolve, reject) => {
      const socket = connect({ ...options, allowHalfOpen: halfOpen } as NetConnectOpts);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Writes bytes or text as they are. */
  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Writes a request line. */
  request(command: string, requestId: number | null, params: Record<string, unknown> = {}): void {
    this.send(`${JSON.stringify({ command, ...(requestId === null ? {} : { requestId }), ...params })}\n`);
  }

  /** The next frame; rejects when the connection closes first. */
  async next(): Promise<RawReply> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return frame;
    const reply = this.#isClosed
      ? null
      : await new Promise<RawReply | null>((resolve) => this.#waiting.push(resolve));
    if (reply === null) throw new Error("the connection closed before a frame came");
    return reply;
  }

  /** Sends a request and waits for the next frame. */
  call(command: string, requestId: number | null, params: Record<string, unknown> = {}): Promise<RawReply> {
    this.request(command, requestId, params);
    return this.next();
  }

  /** Resolves when the connection is closed from the other side, or by `close`. */
  closed(): Promise<void> {
    return this.#closed;
  }

  close(): Promise<void> {
    this.socket.destroy();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #onData(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE(0);
      if (this.#received.length < end) return;
      const reply = toReply(this.#received.subarray(4, end));
      this.#received = this.#received.subarray(end);
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#frames.push(reply);
      else waiter(reply);
    }
  }
}

function toReply(payload: Buffer): RawReply {
  const zero = payload.indexOf(0);
  if (zero < 0) return JSON.parse(payload.toString("utf8")) as RawReply;
  const reply = JSON.parse(payload.toString("utf8", 0, zero)) as RawReply;
  return { ...reply, attachment: Buffer.from(payload.subarray(zero + 1)) };
}
